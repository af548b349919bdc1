-- vim.loop: timers, files, sockets, child processes, watched files, work for the pool.
local common = dofile(vim.env.OXUV_SCRIPTS .. '/common.lua')
local uv = vim.loop
local until_true = common.until_true

local function timers()
  local order = {}
  for _, delay in ipairs({ 60, 20, 40 }) do
    vim.defer_fn(function() table.insert(order, delay) end, delay)
  end
  local count, timer = 0, uv.new_timer()
  timer:start(1, 1, function()
    count = count + 1
    if count == 10 then timer:close() end
  end)
  until_true(function() return #order == 3 and timer:is_closing() end)
  assert(vim.deep_equal(order, { 20, 40, 60 }), vim.inspect(order))
  assert(count == 10)
  local idle, ran = uv.new_idle(), 0
  idle:start(function()
    ran = ran + 1
    if ran == 100 then idle:close() end
  end)
  until_true(function() return ran == 100 end)
end

local function files()
  local data = common.contents(500000)
  local done
  uv.fs_open('file', 'w', 420, function(error, fd)
    assert(not error, error)
    uv.fs_write(fd, data, 0, function(_, written)
      assert(written == #data)
      uv.fs_close(fd, function() done = true end)
    end)
  end)
  until_true(function() return done end)
  assert(uv.fs_stat('file').size == #data)
  assert(vim.fn.readfile('file', 'b')[1] == data:match('^[^\n]*'))
  local fd = assert(uv.fs_open('file', 'r', 0))
  assert(uv.fs_read(fd, #data, 0) == data)
  uv.fs_close(fd)
  assert(uv.fs_mkdir('folder', 493))
  for number = 1, 50 do assert(uv.fs_copyfile('file', 'folder/' .. number)) end
  local names = 0
  local scan = uv.fs_scandir('folder')
  while uv.fs_scandir_next(scan) do names = names + 1 end
  assert(names == 50)
  local _, message = uv.fs_stat('not-there')
  assert(message:match('^ENOENT'), message)
end

local function echo(server, client, connect)
  local data, parts, length, ended = common.contents(2000000), {}, 0, false
  server:listen(16, function(error)
    assert(not error, error)
    local peer = server:get_type() == 'tcp' and uv.new_tcp() or uv.new_pipe(false)
    server:accept(peer)
    peer:read_start(function(problem, chunk)
      assert(not problem, problem)
      if chunk then
        peer:write(chunk)
      else
        peer:shutdown(function() peer:close() end)
      end
    end)
  end)
  connect(function(error)
    assert(not error, error)
    client:read_start(function(problem, chunk)
      assert(not problem, problem)
      if chunk then
        parts[#parts + 1] = chunk
        length = length + #chunk
      else
        ended = true
      end
    end)
    client:write(data)
    client:shutdown()
  end)
  until_true(function() return ended end)
  assert(length == #data and table.concat(parts) == data)
  client:close()
  server:close()
end

local function sockets()
  local server, client = uv.new_tcp(), uv.new_tcp()
  server:bind('127.0.0.1', 0)
  local port = server:getsockname().port
  echo(server, client, function(callback) client:connect('127.0.0.1', port, callback) end)
  server, client = uv.new_pipe(false), uv.new_pipe(false)
  server:bind('socket')
  echo(server, client, function(callback) client:connect('socket', callback) end)
  -- A connection of the editor's own.
  server = uv.new_tcp()
  server:bind('127.0.0.1', 0)
  server:listen(1, function()
    local peer = uv.new_tcp()
    server:accept(peer)
    peer:write('a line\n', function() peer:close() end)
  end)
  local got = ''
  vim.fn.sockconnect('tcp', '127.0.0.1:' .. server:getsockname().port, {
    on_data = function(_, data) got = got .. table.concat(data, '\n') end,
  })
  until_true(function() return got == 'a line\n' end)
  server:close()
end

local function processes()
  for _, case in ipairs({ { 'exit 5', 5, 0 }, { 'kill -9 $$', 0, 9 } }) do
    local code, signal
    local child = uv.spawn('sh', { args = { '-c', case[1] } }, function(...) code, signal = ... end)
    until_true(function() return code end)
    assert(code == case[2] and signal == case[3])
    child:close()
  end
  local input, output, text, closed = uv.new_pipe(false), uv.new_pipe(false), '', false
  local child = uv.spawn('cat', { stdio = { input, output, nil } }, function() end)
  output:read_start(function(_, chunk)
    if chunk then text = text .. chunk else closed = true end
  end)
  input:write('through cat')
  input:shutdown(function() input:close() end)
  until_true(function() return closed end)
  assert(text == 'through cat')
  output:close()
  child:close()
end

local function watched_files()
  uv.fs_mkdir('watched', 493)
  local watcher, seen = uv.new_fs_event(), {}
  watcher:start('watched', {}, function(error, name, events)
    assert(not error, error)
    seen[name] = events
  end)
  vim.fn.writefile({ 'text' }, 'watched/one')
  vim.fn.rename('watched/one', 'watched/two')
  until_true(function() return seen.one and seen.two end)
  watcher:close()
  local poll, changed = uv.new_fs_poll(), false
  vim.fn.writefile({ 'a' }, 'polled')
  poll:start('polled', 10, function(error, before, after)
    changed = not error and before.size ~= after.size
  end)
  -- Until the first query is done a change goes unnoticed: go on changing.
  local size = 1
  until_true(function()
    size = size + 1
    vim.fn.writefile({ string.rep('a', size) }, 'polled')
    return vim.wait(100, function() return changed end, 5)
  end)
  poll:close()
end

local function pool()
  local results, count = {}, 0
  local work = uv.new_work(function(number)
    local sum = 0
    for part = 1, number do sum = sum + part end
    return number, sum
  end, function(number, sum)
    results[number] = sum
    count = count + 1
  end)
  for number = 1, 100 do work:queue(number * 100) end
  until_true(function() return count == 100 end)
  for number = 100, 10000, 100 do assert(results[number] == number * (number + 1) / 2) end
  local answer
  uv.getaddrinfo('127.0.0.1', '80', { socktype = 'stream' }, function(error, found)
    assert(not error, error)
    answer = found[1]
  end)
  until_true(function() return answer end)
  assert(answer.addr == '127.0.0.1' and answer.port == 80)
  -- Another thread wakes the loop.
  local woken = 0
  local async = uv.new_async(function() woken = woken + 1 end)
  local thread = uv.new_thread(function(handle) handle:send() end, async)
  thread:join()
  until_true(function() return woken == 1 end)
  async:close()
end

common.main('timers, files, sockets, processes, watched files, the pool', function()
  timers()
  files()
  sockets()
  processes()
  watched_files()
  pool()
end)
