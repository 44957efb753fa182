-- What wrk sends, from the arguments after `--`: method, bytes of body. The request is made once, so that no Lua
-- runs while it is sent. The outcome is one line of JSON.

function init(args)
  local size = tonumber(args[2])
  wrk.method = args[1]
  if size > 0 then
    local head, tail = '{"query":"SELECT 1","context":{"filling":"', '"}}'
    wrk.body = head .. string.rep("x", size - #head - #tail) .. tail
    wrk.headers["Content-Type"] = "application/json"
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"durationUs":%d,"bytes":%d,"p50Us":%d,"p99Us":%d,"failed":%d,"refused":%d,"cut":%d,"late":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read + errors.write, errors.timeout
  ))
end
