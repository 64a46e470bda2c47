-- report.lua: how the filters complain.  A module, used by all of them.
--
-- A complaint is one line, "book/02-scalars.nw:123: what is wrong".  Each filter ends with
-- report.carry(doc), which notes the number of complaints in the document's metadata; the
-- filter stop.lua, behind all others, ends the build if there were any.  So one run shows all
-- mistakes.

local report = {count = 0}
local said = {}

-- Complain about the place "file:line"; the same complaint only once.
function report.at(place, message, ...)
  local text = (place or 'book') .. ': ' .. message:format(...) .. '\n'
  if said[text] then return end
  said[text] = true
  io.stderr:write(text)
  report.count = report.count + 1
end

-- Calls visit(line, number) for each line of the chapter's documentation.
local function each_documentation_line(file, visit)
  local handle = io.open(file)
  if not handle then return end
  local number, in_code = 0, false
  for line in handle:lines() do
    number = number + 1
    if line:match '^<<.*>>=%s*$' then in_code = true
    elseif line:match '^@%s' or line == '@' then in_code = false end
    if not in_code then visit(line, number) end
  end
  handle:close()
end

-- Where does the literal stand in the chapters?  Pandoc does not tell us the lines of
-- references and citations, so we look for them.  A letter, digit or dash behind the literal
-- means that it is only the beginning of a longer word.
function report.places(chapters, literal)
  local places = {}
  for _, file in ipairs(chapters) do
    each_documentation_line(file, function(line, number)
      local first, last = line:find(literal, 1, true)
      while first do
        if not line:sub(last + 1):match '^[%w_]' and not line:sub(last + 1):match '^[-:.]%w' then
          places[#places + 1] = file .. ':' .. number
          return
        end
        first, last = line:find(literal, last + 1, true)
      end
    end)
  end
  return places
end

-- Complain about every place where the literal stands.
function report.find(chapters, literal, message, ...)
  local places = report.places(chapters, literal)
  for _, place in ipairs(places) do report.at(place, message, ...) end
  if #places == 0 then report.at(nil, message, ...) end
end

-- The list of chapter files, from the document's metadata.
function report.chapters(doc)
  local files = {}
  if doc.meta.chapters then
    for file in pandoc.utils.stringify(doc.meta.chapters):gmatch '%S+' do
      files[#files + 1] = file
    end
  end
  return files
end

function report.carry(doc)
  local before = tonumber(pandoc.utils.stringify(doc.meta.problems or '0'))
  doc.meta.problems = tostring(before + report.count)
  return doc
end

return report
