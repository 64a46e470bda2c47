-- maths.lua: a Pandoc filter, common to all editions.  Complains about formulas that Pandoc cannot
-- read: they would come out as raw TeX on the screen.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report = require 'report'

local OPTIONS = {html_math_method = 'mathml'}

local function readable(math)
  local html = pandoc.write(pandoc.Pandoc {pandoc.Plain {math}}, 'html5', OPTIONS)
  return html:find '<math' ~= nil
end

local function trimmed(text) return (text:gsub('^%s+', ''):gsub('%s+$', '')) end

-- Where the formula stands: file:line of its first line that is not empty.
local function place_of(chapters, formula)
  for _, file in ipairs(chapters) do
    local handle = io.open(file)
    local text = handle and handle:read 'a' or ''
    if handle then handle:close() end
    local first = text:find(formula, 1, true)
    if first then
      local _, lines = text:sub(1, first):gsub('\n', '')
      return file .. ':' .. lines + 1
    end
  end
end

function Pandoc(doc)
  local chapters = report.chapters(doc)
  local seen = {}
  doc:walk {Math = function(math)
    if seen[math.text] then return nil end
    seen[math.text] = true
    if not readable(math) then
      local formula = trimmed(math.text)
      report.at(place_of(chapters, formula), 'the formula cannot be read: %s',
        (formula:gsub('%s+', ' ')))
    end
  end}
  return report.carry(doc)
end
