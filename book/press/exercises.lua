-- exercises.lua: a Pandoc filter, common to all editions; runs behind number.lua.  Moves the
-- solutions of the exercises into the appendix, and links both ways.
--
--   ::: {.exercise #ex:02-name}     its heading's number becomes a Link to the solution
--   ::: {.exercise .code …}         gets the command that checks the reader's file
--   ::: {.solution of="02-name"}    becomes Div .solution #sol:02-name number="2.4" in the
--                                   chapter "Solutions" (Header #solutions .appendix, number
--                                   "A"); its heading is Plain [Link .head "#ex:02-name"]

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report, chunk = require 'report', require 'chunk'

local exercises, solutions = {}, {}     -- by name, such as 02-adjoint
local chapters = pandoc.List {}         -- {header = Header, solutions = {Div, ...}}

local function code_block(text)
  local tokens = chunk.collector()
  tokens.add('tx', text)
  return pandoc.Div({tokens.block()}, {class = 'nwplain command', lang = 'sh'})
end

local function name_of(div) return (div.identifier:gsub('^ex:', '')) end

local function collect(doc)
  local current
  local function take(div)
    local place = div.attributes.at
    if div.classes:includes 'exercise' then
      if div.identifier == '' then report.at(place, 'an exercise needs a label #ex:NN-name') end
      exercises[name_of(div)] = div
    elseif div.classes:includes 'solution' then
      local of = div.attributes.of or ''
      if solutions[of] then report.at(place, 'exercise %s has two solutions', of) end
      solutions[of] = div
      if current then current.solutions:insert(of) end
    end
  end
  doc:walk {traverse = 'topdown', Div = take, Header = function(h)
    if h.level == 1 then
      current = {header = h, solutions = pandoc.List {}}
      chapters:insert(current)
    end
  end}
end

local function check()
  for name, div in pairs(exercises) do
    if not solutions[name] then
      report.at(div.attributes.at, 'exercise %s has no solution', name)
    end
  end
  for name, div in pairs(solutions) do
    if not exercises[name] then
      report.at(div.attributes.at, 'there is no exercise %s for this solution', name)
    end
  end
end

-- The heading with a link around its first part, "Exercise 2.4".
local function linked_heading(heading, target)
  local content = heading.content:clone()
  content[1] = pandoc.Link(content[1].content, '#' .. target, '', {class = 'head'})
  return pandoc.Plain(content)
end

local function finished_exercise(div)
  local name = name_of(div)
  div.content[1] = linked_heading(div.content[1], 'sol:' .. name)
  if div.classes:includes 'code' then
    div.content:insert(code_block('make exercise EX=' .. name .. ' FILE=mine.c'))
  end
  div.attributes.at = nil
  return div
end

local function finished_solution(name)
  local exercise, div = exercises[name], solutions[name]
  div.identifier = 'sol:' .. name
  div.attributes = {number = exercise.attributes.number}
  local heading = exercise.content[1].content:filter(function(inline)
    return not (inline.t == 'Span' and inline.classes:includes 'level')
  end)
  div.content:insert(1, linked_heading(pandoc.Plain(heading), 'ex:' .. name))
  return div
end

-- The appendix: a section for each chapter that has exercises.
local function appendix()
  local blocks = pandoc.List {pandoc.Header(1, 'Solutions',
    pandoc.Attr('solutions', {'appendix'}, {number = 'A'}))}
  for _, chapter in ipairs(chapters) do
    if #chapter.solutions > 0 then
      local number = chapter.header.attributes.number
      local title = pandoc.List {pandoc.Str('Chapter\u{a0}' .. number .. ':'), pandoc.Space()}
      title:extend(chapter.header.content)
      blocks:insert(pandoc.Header(2, title,
        pandoc.Attr('solutions-' .. number, {'unnumbered'})))
      for _, name in ipairs(chapter.solutions) do blocks:insert(finished_solution(name)) end
    end
  end
  return blocks
end

function Pandoc(doc)
  collect(doc)
  check()
  if report.count > 0 then return report.carry(doc) end
  if next(solutions) then
    local back = appendix()
    doc = doc:walk {Div = function(div)
      if div.classes:includes 'solution' then return {} end
      if div.classes:includes 'exercise' then return finished_exercise(div) end
    end}
    doc.blocks:extend(back)
  end
  return report.carry(doc)
end
