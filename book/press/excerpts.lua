-- excerpts.lua: a Pandoc filter, common to all editions.  Cuts parts out of real files.
--
--   ``` {.excerpt file="tests/02_value.c" part="Test(value, counts_the_diamond_twice)"}
--   ```
--
-- The excerpt goes from the one line of the file that begins with the part to the next line
-- that is a lone "}" (C), or up to the next line that begins in column 1 (Python); a part of
-- shell, make and the like ends before the next empty line.  It becomes a code block with
-- attributes file, part, line; chunks.lua colours it.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report, lexer = require 'report', require 'lexer'

local function read_lines(name)
  local handle = io.open(name)
  if not handle then return nil end
  local lines = {}
  for line in handle:lines() do lines[#lines + 1] = line end
  handle:close()
  return lines
end

-- The last line of the part that begins at line first.
local function last_line(lines, first, language)
  for i = first + 1, #lines do
    if language == 'c' then
      if lines[i] == '}' then return i end
    elseif language == 'python' then
      if lines[i]:match '^%S' then
        repeat i = i - 1 until lines[i]:match '%S'
        return i
      end
    elseif lines[i] == '' then return i - 1 end
  end
  local last = #lines
  while last > first and lines[last] == '' do last = last - 1 end
  return language ~= 'c' and last or nil
end

-- The text of the part and its first line; nil and the reason if there is none.
local function cut(file, part)
  local lines = read_lines(file)
  if not lines then return nil, ('there is no file %s'):format(file) end
  local first
  for i, line in ipairs(lines) do
    if line:sub(1, #part) == part then
      if first then return nil, ('two lines of %s begin with "%s"'):format(file, part) end
      first = i
    end
  end
  if not first then return nil, ('no line of %s begins with "%s"'):format(file, part) end
  local last = last_line(lines, first, lexer.language(file))
  if not last then return nil, ('the part "%s" of %s has no end'):format(part, file) end
  return table.concat(lines, '\n', first, last), first
end

local function excerpt(block)
  if not block.classes:includes 'excerpt' then return nil end
  local a = block.attributes
  local text, first = cut(a.file or '', a.part or '')
  if not text then
    report.at(a.at, '%s', first)
    return {}
  end
  block.text = text
  block.classes = {lexer.language(a.file), 'excerpt'}
  block.attributes = {file = a.file, part = a.part, line = tostring(first)}
  return block
end

function Pandoc(doc)
  return report.carry(doc:walk {CodeBlock = excerpt})
end
