-- number.lua: a Pandoc filter, common to all editions.  Numbers what can be referred to, and
-- turns references into links.
--
--   # Title {#sec:x}                 Header with attribute number="2", "2.3", "2.3.1"
--   $$…$$ {#eq:x}                    Div .equation #eq:x number="2.3" [Para [Math]]
--   ![caption](figures/NAME){#fig:x} Div .figure #fig:x number="1.2" [Para [Image]]
--   Table: caption {#tbl:x}          Div .table #tbl:x number="1.1" [Table]
--   ::: {.theorem #thm:x title="…"}  Div .theorem number="2.1"; the first block is its heading,
--        .lemma, .definition         Plain [Span .head, Span .title]; they share one counter
--   ::: {.proof}                     stays (the editions add the heading and the end mark)
--   ::: {.exercise #ex:02-name}      Div .exercise number="2.4"; heading as in a theorem, and
--                                    Span .level
--
-- A reference [@eq:x] becomes Link .ref "#eq:x" with the text "Equation (2.3)"; in a draft of
-- one chapter, what stands in another becomes Span .unresolved with the label as its text.
-- Other citations are left to citeproc, once their keys are known to be in the bibliography.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report = require 'report'

local chapters, draft = {}, false
local targets = {}            -- label -> {word = "Section", number = "2.3"}
local bibliography = nil      -- key -> true
local chapter, counters, section, file = 0, {}, {}, nil

local WORDS = {sec = 'Section', eq = 'Equation', fig = 'Figure', tbl = 'Table', thm = 'Theorem',
  ex = 'Exercise'}
local THEOREMS = {theorem = 'Theorem', lemma = 'Lemma', definition = 'Definition'}

-- Numbers ------------------------------------------------------------------------------------

local function define(label, word, number)
  if not label or label == '' then return end
  if targets[label] then
    report.find(chapters, '#' .. label, 'the label %s is defined twice', label)
  end
  targets[label] = {word = word, number = number}
end

local function next_number(counter)
  counters[counter] = (counters[counter] or 0) + 1
  return chapter .. '.' .. counters[counter]
end

local function numbered(class, id, number, content, more)
  local attributes = more or {}
  attributes.number = number
  return pandoc.Div(content, pandoc.Attr(id, {class}, attributes))
end

-- The markdown of an attribute, as inlines.
local function inlines_of(markdown)
  return pandoc.utils.blocks_to_inlines(pandoc.read(markdown, 'markdown').blocks)
end

local function header(h)
  if h.level == 1 then
    local from_name = file and tonumber(file:match '(%d+)[^/]*$')
    chapter, counters, section = from_name or chapter + 1, {}, {}
    file = nil
  end
  if h.classes:includes 'unnumbered' then return nil end
  local number = tostring(chapter)
  if h.level >= 2 then
    section[h.level] = (section[h.level] or 0) + 1
    for level = h.level + 1, 6 do section[level] = nil end
    for level = 2, h.level do number = number .. '.' .. (section[level] or 0) end
  end
  h.attributes.number = number
  define(h.identifier, h.level == 1 and 'Chapter' or 'Section', number)
  return h
end

local function is_display_math(inline)
  return inline and inline.t == 'Math' and inline.mathtype == 'DisplayMath'
end

-- A paragraph may hold several equations with labels, and text around them.
local function equations(para)
  local out, rest, i, found = pandoc.List {}, pandoc.List {}, 1, false
  local function flush(list)
    while #list > 0 and (list[#list].t == 'Space' or list[#list].t == 'SoftBreak') do
      list:remove(#list)
    end
    if #list > 0 then out:insert(pandoc.Para(list)) end
  end
  while i <= #para.content do
    local math, space, label = para.content[i], para.content[i + 1], para.content[i + 2]
    local id = is_display_math(math) and space and space.t == 'Space' and label
      and label.t == 'Str' and label.text:match '^{#(eq:[%w_-]+)}[.,;]?$'
    if id then
      flush(rest)
      rest, found = pandoc.List {}, true
      local number = next_number 'eq'
      define(id, 'Equation', number)
      out:insert(numbered('equation', id, number, {pandoc.Para {math}}))
      i = i + 3
      while para.content[i] and para.content[i].t:match 'Space' or
        para.content[i] and para.content[i].t == 'SoftBreak' do i = i + 1 end
    else
      rest:insert(math)
      i = i + 1
    end
  end
  if not found then return nil end
  flush(rest)
  return out
end

local function exists(name)
  local handle = io.open(name)
  if handle then handle:close() end
  return handle ~= nil
end

-- A picture figures/NAME is made from figures/NAME.tex, .gp or .dot, or an experiment has drawn
-- figures/results/NAME.svg, or it is a graph that the program NAME prints.
local function check_source(image)
  local name = image.src:match '^figures/(.*)$'
  if not name then return nil end
  for _, suffix in ipairs {'tex', 'gp', 'dot'} do
    if exists('figures/' .. name .. '.' .. suffix) then return nil end
  end
  if not exists('figures/results/' .. name .. '.svg') and not exists('tangled/' .. name .. '.c') then
    report.find(chapters, '(' .. image.src .. ')', 'nothing makes the picture %s', image.src)
  end
end

local function figure(para)
  local image = para.content[1]
  if #para.content ~= 1 or image.t ~= 'Image' or #image.caption == 0 then return nil end
  check_source(image)
  local id, number = image.identifier, next_number 'fig'
  define(id, 'Figure', number)
  image.identifier = ''
  image.title = ''
  return numbered('figure', id, number, {pandoc.Para {image}})
end

-- The "false" says: do not go on into what was just made.
local function para(p)
  local made = figure(p) or equations(p)
  if made then return made, false end
end

-- The label {#tbl:x} stands at the end of the caption.
local function take_label(caption)
  local last = caption[#caption]
  local id = last and last.t == 'Str' and last.text:match '^{#(tbl:[%w_-]+)}$'
  if not id then return nil end
  caption:remove(#caption)
  while #caption > 0 and caption[#caption].t:match 'Space' do caption:remove(#caption) end
  return id
end

local function numbered_table(t)
  if #t.caption.long == 0 then return t, false end
  local caption = pandoc.utils.blocks_to_inlines(t.caption.long)
  local id = take_label(caption) or t.attr.identifier
  local number = next_number 'tbl'
  define(id, 'Table', number)
  t.caption.long = {pandoc.Plain(caption)}
  t.attr = pandoc.Attr()
  return numbered('table', id, number, {t}), false
end

-- Theorems and exercises get a heading, from their attributes.
local function with_heading(div, words)
  local line = pandoc.List {pandoc.Span(words, {class = 'head'})}
  if div.attributes.title then
    line:extend {pandoc.Space(), pandoc.Span(inlines_of(div.attributes.title), {class = 'title'})}
    div.attributes.title = nil
  end
  if div.attributes.level then
    line:extend {pandoc.Space(), pandoc.Span(div.attributes.level, {class = 'level'})}
  end
  div.content:insert(1, pandoc.Plain(line))
end

local function numbered_div(div)
  if div.classes:includes 'nwfile' then
    file = div.attributes.name
    return {}, false
  end
  local word, counter
  for class, name in pairs(THEOREMS) do
    if div.classes:includes(class) then word, counter = name, 'thm' end
  end
  if div.classes:includes 'exercise' then word, counter = 'Exercise', 'ex' end
  if not word then return nil end
  local number = next_number(counter)
  define(div.identifier, word, number)
  div.attributes.number = number
  with_heading(div, word .. '\u{a0}' .. number)
  return div
end

-- References ---------------------------------------------------------------------------------

local function reference_link(id, as_written)
  local target = targets[id]
  if not target then
    if not draft then
      report.find(chapters, '@' .. as_written, 'nothing has the label %s', id)
    end
    return pandoc.Span(id, {class = 'unresolved'})
  end
  local number = target.word == 'Equation' and '(' .. target.number .. ')' or target.number
  return pandoc.Link(target.word .. '\u{a0}' .. number, '#' .. id, '', {class = 'ref'})
end

local function check_citation(id)
  if bibliography and not bibliography[id] then
    report.find(chapters, '@' .. id, 'the bibliography has no entry %s', id)
  end
end

local function cite(c)
  local references = pandoc.List {}
  for i, citation in ipairs(c.citations) do
    local id = citation.id:gsub('^%u%l*:', string.lower)      -- @Sec:x, too
    if WORDS[id:match '^(%l+):'] then
      if i > 1 then references:extend {pandoc.Str ',', pandoc.Space()} end
      references:extend(citation.prefix)
      if #citation.prefix > 0 then references:insert(pandoc.Space()) end
      references:insert(reference_link(id, citation.id))
      references:extend(citation.suffix)
    else check_citation(citation.id) end
  end
  return #references > 0 and references or nil
end

local function read_bibliography(name)
  local handle = name and io.open(name)
  if not handle then return nil end
  local keys = {}
  for key in handle:read 'a':gmatch '@%a+%s*{%s*([^%s,]+)%s*,' do keys[key] = true end
  handle:close()
  return keys
end

function Pandoc(doc)
  chapters = report.chapters(doc)
  draft = doc.meta.draft ~= nil
  bibliography = read_bibliography(doc.meta.bibliography
    and pandoc.utils.stringify(doc.meta.bibliography))
  doc = doc:walk {traverse = 'topdown', Header = header, Para = para, Table = numbered_table,
    Div = numbered_div}
  doc = doc:walk {Cite = cite}
  return report.carry(doc)
end
