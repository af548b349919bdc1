-- luv on a loop of its own, run from Lua to the end: nothing may be left over each time.
local uv = require('luv')

io.stdout:write('ready\n')
io.stdout:flush()
assert(io.read() == 'go')

local function run(name, script)
  script()
  assert(uv.run('default') == false, name)
  uv.walk(function(handle) error(name .. ' left a handle: ' .. tostring(handle)) end)
  assert(uv.loop_alive() == false)
end

local function order()
  local seen = {}
  local function note(what) return function() seen[#seen + 1] = what end end
  local prepare, check, idle = uv.new_prepare(), uv.new_check(), uv.new_idle()
  local rounds = 0
  idle:start(note('idle'))
  prepare:start(note('prepare'))
  check:start(function()
    note('check')()
    rounds = rounds + 1
    if rounds == 3 then
      for _, handle in ipairs({ prepare, check, idle }) do handle:close(note('closed')) end
    end
  end)
  uv.run('default')
  local expected = string.rep('idle prepare check ', 3) .. 'closed closed closed'
  assert(table.concat(seen, ' ') == expected, table.concat(seen, ' '))
end

local function timers()
  local seen = {}
  for _, delay in ipairs({ 30, 10, 20, 10 }) do
    local timer = uv.new_timer()
    timer:start(delay, 0, function()
      seen[#seen + 1] = delay
      timer:close()
    end)
  end
  uv.run('default')
  assert(table.concat(seen, ' ') == '10 10 20 30', table.concat(seen, ' '))
  local timer, count = uv.new_timer(), 0
  timer:start(0, 1, function()
    count = count + 1
    if count == 20 then timer:close() end
  end)
end

local function tcp()
  local clients, size, ended = 200, 20000, 0
  local data = string.rep('0123456789', size / 10)
  local server = uv.new_tcp()
  server:bind('127.0.0.1', 0)
  server:listen(128, function(problem)
    assert(not problem, problem)
    local peer = uv.new_tcp()
    server:accept(peer)
    peer:read_start(function(failure, chunk)
      assert(not failure, failure)
      if chunk then peer:write(chunk) else peer:close() end
    end)
  end)
  for _ = 1, clients do
    local client, got = uv.new_tcp(), 0
    client:connect('127.0.0.1', server:getsockname().port, function(problem)
      assert(not problem, problem)
      client:read_start(function(failure, chunk)
        assert(not failure, failure)
        got = got + #chunk
        if got == size then
          client:close()
          ended = ended + 1
          if ended == clients then server:close() end
        end
      end)
      client:write(data)
    end)
  end
end

local function udp()
  local server, client, count = uv.new_udp(), uv.new_udp(), 0
  server:bind('127.0.0.1', 0)
  local port = server:getsockname().port
  server:recv_start(function(problem, data, address)
    assert(not problem, problem)
    if data then server:send('echo ' .. data, address.ip, address.port) end
  end)
  client:recv_start(function(problem, data)
    assert(not problem, problem)
    if not data then return end
    count = count + 1
    assert(data == 'echo ' .. count)
    if count == 500 then
      client:close()
      server:close()
    else
      client:send(tostring(count + 1), '127.0.0.1', port)
    end
  end)
  client:send('1', '127.0.0.1', port)
end

local function files()
  local path = uv.fs_mkdtemp('./luv-XXXXXX')
  local left = 100
  for number = 1, left do
    local name = path .. '/' .. number
    uv.fs_open(name, 'w+', 420, function(problem, fd)
      assert(not problem, problem)
      uv.fs_write(fd, { 'some ', 'text ', tostring(number) }, 0, function(_, written)
        assert(written == 10 + #tostring(number))
        uv.fs_read(fd, 100, 0, function(_, text)
          assert(text == 'some text ' .. number)
          uv.fs_close(fd)
          uv.fs_unlink(name, function()
            left = left - 1
            if left == 0 then assert(uv.fs_rmdir(path)) end
          end)
        end)
      end)
    end)
  end
end

local function processes()
  local output, text = uv.new_pipe(false), ''
  local child
  child = uv.spawn('sh', {
    args = { '-c', 'echo $A; exit 4' },
    env = { 'A=of the child', 'PATH=' .. os.getenv('PATH') },
    stdio = { nil, output, 2 },
  }, function(code, signal)
    assert(code == 4 and signal == 0)
    child:close()
  end)
  output:read_start(function(_, chunk)
    if chunk then
      text = text .. chunk
    else
      assert(text == 'of the child\n', text)
      output:close()
    end
  end)
end

local function signals()
  local signal, count = uv.new_signal(), 0
  signal:start('sigusr1', function(name)
    assert(name == 'sigusr1')
    count = count + 1
    if count == 100 then
      signal:close()
    else
      uv.kill(uv.os_getpid(), 'sigusr1')
    end
  end)
  uv.kill(uv.os_getpid(), 'sigusr1')
end

local function threads()
  local left = 200
  local async
  async = uv.new_async(function(text)
    assert(text == 'from a thread')
    async:close()
  end)
  uv.new_thread(function(handle) handle:send('from a thread') end, async):join()
  local work = uv.new_work(function(number) return number * 2 end, function(double)
    assert(double % 2 == 0)
    left = left - 1
  end)
  for number = 1, left do work:queue(number) end
  uv.run('default')
  assert(left == 0)
end

for name, script in pairs({
  order = order, timers = timers, tcp = tcp, udp = udp, files = files,
  processes = processes, signals = signals, threads = threads,
}) do
  run(name, script)
end
print('luv on ' .. uv.version_string() .. ': phases, timers, TCP, UDP, files, processes, signals, threads')
