-- html.lua: a Pandoc filter, the first of the HTML and EPUB editions.  Gives what number.lua
-- numbered its form on the screen: section numbers, equations, figures, tables, theorems,
-- exercises, proofs, and the entries of the indices.

local stringify = pandoc.utils.stringify

local function html(text) return pandoc.RawBlock('html', text) end

local function word(class, text) return pandoc.Span(text, {class = class}) end

local function header(h)
  local number = h.attributes.number
  if not number or h.level > 3 then return nil end
  h.content:insert(1, word('secnum', number))
  h.content:insert(2, pandoc.Space())
  return h
end

local function equation(div)
  return pandoc.Div({
    pandoc.Div(div.content, {class = 'eqmath'}),
    pandoc.Div({pandoc.Plain('(' .. div.attributes.number .. ')')}, {class = 'eqnum'}),
  }, pandoc.Attr(div.identifier, {'equation'}))
end

-- The caption is the picture's alternative text, too, unless the author gives alt="...".
local function figure(div)
  local image = div.content[1].content[1]
  local caption = image.caption
  local alt = image.attributes.alt or stringify(caption)
  image.attributes.alt = nil
  image.caption = pandoc.Inlines(alt)
  return {
    html(('<figure id="%s">'):format(div.identifier)),
    pandoc.Plain {image},
    html '<figcaption>',
    pandoc.Plain(pandoc.List {word('capnum', 'Figure ' .. div.attributes.number .. '.'),
      pandoc.Space()} .. caption),
    html '</figcaption></figure>',
  }
end

-- A wide table scrolls in a box of its own.
local function table_box(div)
  local t = div.content[1]
  local caption = pandoc.utils.blocks_to_inlines(t.caption.long)
  caption:insert(1, pandoc.Space())
  caption:insert(1, word('capnum', 'Table ' .. div.attributes.number .. '.'))
  t.caption.long = {pandoc.Plain(caption)}
  return pandoc.Div({t}, pandoc.Attr(div.identifier, {'tablebox'}))
end

-- Puts inlines before the text of the first paragraph, or on a line of their own.
local function run_in(blocks, inlines)
  if blocks[1] and blocks[1].t == 'Para' then
    blocks[1].content = pandoc.List(inlines) .. pandoc.List {pandoc.Space()} .. blocks[1].content
  else blocks:insert(1, pandoc.Para(inlines)) end
end

-- Theorem 2.1 (Title). Text
local function theorem(div)
  local heading = div.content:remove(1).content
  local label = pandoc.List {}
  for _, inline in ipairs(heading) do
    if inline.t == 'Span' and inline.classes:includes 'title' then
      label:insert(pandoc.Str '(')
      label:extend(inline.content)
      label:insert(pandoc.Str ')')
    else label:insert(inline) end
  end
  label:insert(pandoc.Str '.')
  run_in(div.content, {pandoc.Span(label, {class = 'label'})})
  div.attributes.number = nil
  return div
end

local function proof(div)
  run_in(div.content, {pandoc.Span({pandoc.Emph 'Proof.'}, {class = 'prooflabel'})})
  local mark = word('qed', '∎')
  local last = div.content[#div.content]
  if last.t == 'Para' then last.content:extend {pandoc.Space(), mark}
  else div.content:insert(pandoc.Para {mark}) end
  return div
end

-- The heading of an exercise or a solution stands on a line of its own.
local function exercise(div)
  local heading = div.content[1]
  if heading.t == 'Plain' then
    div.content[1] = pandoc.Div({pandoc.Plain(heading.content)}, {class = 'heading'})
  end
  div.attributes = {}
  return div
end

-- An index entry's places are separated by commas; none is named twice.
local function index_line(line)
  local content, seen, count = pandoc.List {}, {}, 0
  for _, inline in ipairs(line.content) do
    if inline.t == 'Link' and not seen[inline.target] then
      seen[inline.target] = true
      count = count + 1
      content:insert(pandoc.Str(count == 1 and '\u{2002}' or ', '))
      content:insert(inline)
    elseif inline.t ~= 'Link' and inline.t ~= 'Space' then content:insert(inline) end
  end
  return pandoc.Plain(content)
end

local function index(div) return div:walk {Plain = index_line} end

local SHAPES = {equation = equation, figure = figure, table = table_box, theorem = theorem,
  lemma = theorem, definition = theorem, proof = proof, exercise = exercise,
  solution = exercise, nwindex = index}

local function div(d)
  for _, class in ipairs(d.classes) do
    if SHAPES[class] then return SHAPES[class](d) end
  end
end

-- A table without a number still needs its box.
local function table_alone(t)
  if #t.caption.long == 0 then return pandoc.Div({t}, {class = 'tablebox'}) end
end

-- The class nw would make Pandoc look for a language of that name.
local function code(c) return pandoc.Code(c.text) end

function Pandoc(doc)
  return doc:walk {Header = header, Div = div, Table = table_alone, Code = code}
end
