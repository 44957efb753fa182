-- An open loop: requests are due at a fixed rate, whatever becomes of those before them, and the latency of each counts
-- from the moment at which it was due, so what waits for a free connection waits in the figures as well. wrk only
-- lends its LuaJIT: all of it is done in `init`, with the system's own calls (wrk's timers are whole milliseconds).
-- Arguments after `--`: address, port, requests a second, connections, seconds, method, target, bytes of body.
-- Answers must have a Content-Length. The outcome is one line of JSON, as that of load.lua, with `p999Us` and `busy`, the
-- share of a core that this took.

local ffi = require("ffi")
ffi.cdef([[
struct timespec_ { long sec; long nsec; };
struct pollfd_ { int fd; short events; short revents; };
struct sockaddr_in_ { unsigned short family; unsigned short port; unsigned int addr; char zero[8]; };
int socket(int domain, int type, int protocol);
int connect(int fd, const struct sockaddr_in_ *address, unsigned int length);
int setsockopt(int fd, int level, int name, const int *value, unsigned int length);
int close(int fd);
long send(int fd, const char *data, size_t length, int flags);
long recv(int fd, char *buffer, size_t length, int flags);
int ppoll(struct pollfd_ *fds, unsigned long count, const struct timespec_ *timeout, const void *mask);
int clock_gettime(int clock, struct timespec_ *time);
unsigned short htons(unsigned short port);
unsigned int inet_addr(const char *address);
int prctl(int option, unsigned long value, unsigned long a, unsigned long b, unsigned long c);
]])
local C = ffi.C
local AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, MSG_DONTWAIT, MSG_NOSIGNAL = 2, 1, 6, 1, 0x40, 0x4000
local POLLIN, EAGAIN, EINTR, CLOCK_MONOTONIC, PR_SET_TIMERSLACK = 1, 11, 4, 1, 29
-- How long answers are waited for after the last request was due.
local GRACE_US = 5e6
local ROOM = 65536

local stamp = ffi.new("struct timespec_")
local function now()
  C.clock_gettime(CLOCK_MONOTONIC, stamp)
  return tonumber(stamp.sec) * 1e6 + tonumber(stamp.nsec) / 1e3
end

local function open(address)
  local fd = C.socket(AF_INET, SOCK_STREAM, 0)
  if fd < 0 then return nil end
  C.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ffi.new("int[1]", 1), 4)
  if C.connect(fd, address, ffi.sizeof(address)) == 0 then return fd end
  C.close(fd)
  return nil
end

local function run(host, port, rate, connections, seconds, method, target, size)
  -- Otherwise each wait may take 50 us longer.
  C.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
  local body = ""
  if size > 0 then
    local head, tail = '{"query":"SELECT 1","context":{"filling":"', '"}}'
    body = head .. string.rep("x", size - #head - #tail) .. tail
  end
  local request = method .. " " .. target .. " HTTP/1.1\r\nHost: " .. host .. ":" .. port .. "\r\n"
  if size > 0 then request = request .. "Content-Type: application/json\r\nContent-Length: " .. size .. "\r\n" end
  request = request .. "\r\n" .. body

  local address = ffi.new("struct sockaddr_in_", { family = AF_INET, port = C.htons(port), addr = C.inet_addr(host) })
  local polled = ffi.new("struct pollfd_[?]", connections)
  local buffer = ffi.new("char[?]", ROOM)
  local failed, refused, cut, late, bytes, done = 0, 0, 0, 0, 0, 0
  -- By connection: the time at which its request was due, the part of its answer that is here, and its whole length.
  local due, part, whole, free = {}, {}, {}, {}
  local function connect(i)
    local fd = open(address)
    if fd == nil then
      refused = refused + 1
      polled[i].fd = -1
      return
    end
    polled[i].fd, polled[i].events = fd, POLLIN
    due[i], part[i], whole[i] = 0, "", 0
    free[#free + 1] = i
  end
  for i = 0, connections - 1 do connect(i) end

  local total = math.floor(rate * seconds)
  local took = {}
  local sent, step = 0, 1e6 / rate
  local began = now()
  local last = began + seconds * 1e6 + GRACE_US
  local wait = ffi.new("struct timespec_")

  local function over(i, ok, at)
    if not ok then failed = failed + 1 end
    done = done + 1
    took[done] = at - due[i]
    due[i], part[i], whole[i] = 0, "", 0
    free[#free + 1] = i
  end
  local function lost(i)
    C.close(polled[i].fd)
    if due[i] > 0 then cut = cut + 1 end
    for k = #free, 1, -1 do
      if free[k] == i then table.remove(free, k) end
    end
    connect(i)
  end
  local function read(i)
    local count = tonumber(C.recv(polled[i].fd, buffer, ROOM, MSG_DONTWAIT))
    if count < 0 then
      local errno = ffi.errno()
      if errno ~= EAGAIN and errno ~= EINTR then lost(i) end
      return
    end
    if count == 0 or due[i] == 0 then return lost(i) end
    bytes = bytes + count
    local text = ffi.string(buffer, count)
    if part[i] ~= "" then text = part[i] .. text end
    if whole[i] == 0 then
      local _, finish = string.find(text, "\r\n\r\n", 1, true)
      if finish == nil then
        part[i] = text
        return
      end
      local length = string.match(string.lower(string.sub(text, 1, finish)), "\r\ncontent%-length: *(%d+)")
      if length == nil then error("an answer has no Content-Length: " .. string.sub(text, 1, 200)) end
      whole[i] = finish + tonumber(length)
    end
    if #text < whole[i] then
      part[i] = text
      return
    end
    over(i, string.sub(text, 10, 10) == "2", now())
  end

  while done + cut < total do
    local at = now()
    if at > last then break end
    local ready = math.min(total, math.floor((at - began) / step) + 1)
    while sent < ready and #free > 0 do
      -- The one that was free longest would be better for nobody; the last is the cheapest to take.
      local i = table.remove(free)
      due[i] = began + sent * step
      sent = sent + 1
      if tonumber(C.send(polled[i].fd, request, #request, MSG_NOSIGNAL)) ~= #request then lost(i) end
    end
    local pause = 1e5
    if sent < total and #free > 0 then pause = math.max(0, began + sent * step - now()) end
    wait.sec, wait.nsec = 0, pause * 1e3
    if C.ppoll(polled, connections, wait, nil) > 0 then
      for i = 0, connections - 1 do
        if polled[i].revents ~= 0 then
          polled[i].revents = 0
          read(i)
        end
      end
    end
    if done + cut < total and refused > connections then break end
  end

  local ended = now()
  -- Whoever has no answer has waited until now, sent or not.
  for i = 0, connections - 1 do
    if due[i] ~= nil and due[i] > 0 then
      took[#took + 1] = ended - due[i]
      late = late + 1
    end
  end
  for n = sent, total - 1 do
    took[#took + 1] = ended - (began + n * step)
    late = late + 1
  end
  table.sort(took)
  local function percentile(share)
    return math.floor(took[math.max(1, math.ceil(#took * share))] or 0)
  end
  io.write(string.format(
    '{"requests":%d,"durationUs":%d,"bytes":%d,"p50Us":%d,"p99Us":%d,"p999Us":%d,"failed":%d,"refused":%d,"cut":%d,"late":%d,"busy":%.3f}\n',
    done, ended - began, bytes, percentile(0.5), percentile(0.99), percentile(0.999), failed, refused, cut, late,
    os.clock() * 1e6 / (ended - began)
  ))
  io.flush()
end

function init(args)
  local number = function(i) return tonumber(args[i]) end
  local ok, message = pcall(
    run, args[1], number(2), number(3), number(4), number(5), args[6], args[7], number(8)
  )
  if not ok then io.stderr:write(tostring(message), "\n") end
  os.exit(ok and 0 or 1)
end
