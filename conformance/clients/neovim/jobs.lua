-- Jobs, channels and remote calls, as plugins use them.
local common = dofile(vim.env.OXUV_SCRIPTS .. '/common.lua')

-- Starts a job; what it printed, as one string, and its status.
local function run(command, input, options)
  local output, errors, status = {}, {}, nil
  options = vim.tbl_extend('force', {
    on_stdout = function(_, data) vim.list_extend(output, { table.concat(data, '\n') }) end,
    on_stderr = function(_, data) vim.list_extend(errors, { table.concat(data, '\n') }) end,
    on_exit = function(_, code) status = code end,
  }, options or {})
  local job = vim.fn.jobstart(command, options)
  assert(job > 0, 'not started')
  if input then
    vim.fn.chansend(job, input)
    vim.fn.chanclose(job, 'stdin')
  end
  common.until_true(function() return status ~= nil end)
  return table.concat(output), status, table.concat(errors)
end

common.main('jobs: pipes, status, signals, terminals, remote calls', function()
  local data = common.contents(1000000)
  local output, status = run({ 'cat' }, data)
  assert(output == data and status == 0)

  local _, seven, errors = run({ 'sh', '-c', 'echo wrong >&2; exit 7' })
  assert(seven == 7 and errors == 'wrong\n')
  assert(run({ 'sh', '-c', 'echo $A' }, nil, { env = { A = 'b' } }) == 'b\n')
  assert(run({ 'pwd' }, nil, { cwd = '/' }) == '/\n')
  assert(not pcall(vim.fn.jobstart, { './not-there' }))

  -- Fifty at once.
  local ended = 0
  for number = 1, 50 do
    vim.fn.jobstart({ 'sh', '-c', 'exit ' .. number }, {
      on_exit = function(_, code)
        assert(code == number)
        ended = ended + 1
      end,
    })
  end
  common.until_true(function() return ended == 50 end)

  -- Stopped by a signal.
  local stopped
  local sleeper = vim.fn.jobstart({ 'sleep', '1000' }, {
    on_exit = function(_, code) stopped = code end,
  })
  assert(vim.fn.jobwait({ sleeper }, 0)[1] == -1)
  vim.fn.jobstop(sleeper)
  common.until_true(function() return stopped ~= nil end)
  assert(stopped == 143, stopped)

  -- A job on a terminal of its own.
  local terminal = run({ 'sh', '-c', 'test -t 0 && test -t 1 && stty size' }, nil,
    { pty = true, width = 77, height = 33 })
  assert(terminal:find('33 77'), terminal)

  -- The same through :! and system().
  assert(vim.fn.system({ 'cat' }, 'some text') == 'some text')
  local nothing = vim.fn.system('exit 3')
  assert(nothing == '' and vim.v.shell_error == 3, vim.inspect({ nothing, vim.v.shell_error }))

  -- Another editor, spoken to over its pipes and over a socket.
  local child = vim.fn.jobstart({ vim.v.progpath, '--embed', '--headless', '-u', 'NONE', '-n' },
    { rpc = true })
  assert(vim.fn.rpcrequest(child, 'nvim_eval', '6 * 7') == 42)
  local address = vim.fn.rpcrequest(child, 'nvim_call_function', 'serverstart', { './other' })
  local channel = vim.fn.sockconnect('pipe', address, { rpc = true })
  for number = 1, 500 do
    assert(vim.fn.rpcrequest(channel, 'nvim_eval', tostring(number)) == number)
  end
  local lines = vim.split(common.contents(300000), '\n')
  vim.fn.rpcrequest(channel, 'nvim_buf_set_lines', 0, 0, -1, true, lines)
  local back = vim.fn.rpcrequest(channel, 'nvim_buf_get_lines', 0, 0, -1, true)
  assert(vim.deep_equal(lines, back))
  vim.fn.chanclose(channel)
  vim.fn.rpcnotify(child, 'nvim_command', 'qall!')
  assert(vim.fn.jobwait({ child }, 100000)[1] == 0)
end)
