# A job, a timer and a file, all by the editor's own loop.
cat > work.lua <<'END'
local expected = vim.env.EXPECTED
local function main()
  assert(vim.loop.version_string() == expected, vim.loop.version_string())
  local fired, printed, ended = false, '', nil
  vim.loop.new_timer():start(10, 0, function() fired = true end)
  vim.fn.jobstart({ 'cat' , 'work.lua' }, {
    on_stdout = function(_, lines) printed = printed .. table.concat(lines, '\n') end,
    on_exit = function(_, status) ended = status end,
  })
  assert(vim.wait(20000, function() return fired and ended == 0 end), 'no end')
  local file = assert(vim.loop.fs_open('work.lua', 'r', 0))
  assert(vim.loop.fs_read(file, 100000, 0) == printed, 'not what cat printed')
  print('uv ' .. vim.loop.version_string() .. ': a timer, a job and a file\n')
end
local fine, message = pcall(main)
if not fine then print(message .. '\n') vim.cmd('cquit 1') end
vim.cmd('quit')
END
EXPECTED=$1 HOME=$PWD nvim --headless -u NONE -c 'luafile work.lua' 2>&1
