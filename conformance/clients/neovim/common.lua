-- Common parts of the scripts. A script is a function that main runs inside of Neovim; a failure
-- ends the editor with status 1.
local M = {}

-- The sandbox has the time limit; this is only what vim.wait wants.
local LONG = 1000000

function M.until_true(condition)
  assert(vim.wait(LONG, condition, 5), 'waited for too long')
end

function M.contents(size)
  local line = 'the quick brown fox jumps over the lazy dog, number %d\n'
  local parts, length = {}, 0
  while length < size do
    parts[#parts + 1] = line:format(#parts)
    length = length + #parts[#parts]
  end
  return table.concat(parts):sub(1, size)
end

function M.main(what, script)
  io.stdout:write('ready\n')
  io.stdout:flush()
  local ok, problem = xpcall(function()
    assert(io.read() == 'go')
    script()
  end, debug.traceback)
  if ok then
    io.stdout:write(what .. '\n')
    io.stdout:flush()
    vim.cmd('qall!')
  else
    io.stderr:write(problem .. '\n')
    vim.cmd('cquit 1')
  end
end

return M
