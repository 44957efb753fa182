-- What wrk sends, from the arguments after `--`: method, bytes of body, type of content, `close` or `keep-alive`, and
-- bodies in hexadecimal digits, if they are to be sent by turns. All requests are made once; with one body, no Lua
-- runs while it is sent. The outcome is one line of JSON.

local function unhex(text)
  return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end

function init(args)
  local size = tonumber(args[2])
  wrk.method = args[1]
  if args[4] == "close" then wrk.headers["Connection"] = "close" end
  if size > 0 then
    local head, tail = '{"query":"SELECT 1","context":{"filling":"', '"}}'
    wrk.body = head .. string.rep("x", size - #head - #tail) .. tail
    wrk.headers["Content-Type"] = args[3]
  end
  if #args < 5 then return end
  local requests, turn = {}, 0
  for i = 5, #args do requests[i - 4] = wrk.format(nil, nil, nil, unhex(args[i])) end
  request = function()
    turn = turn % #requests + 1
    return requests[turn]
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
