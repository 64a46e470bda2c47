-- backmatter.lua: a Pandoc filter, common to all editions; the last but citeproc.  Adds the
-- bibliography's place and the three indices.
--
-- In the text, [word]{.term}, [word]{.index}, []{.index of="gradient!checking"} become
-- Span .term or Span .index #ix:N.  Each index is a Div .nwindex under a Header of level 1,
-- class unnumbered (#bibliography, #subjects, #chunks, #identifiers); it holds a BulletList
-- whose items are
--
--   Plain [Span .name [the entry], Link .def "#label" …, Link .use "#label" …]
--
-- possibly followed by a BulletList of sub-entries.  A link's text is the number of the section
-- (#subjects) or of the chunk (2.7); the PDF prints page numbers instead.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report, chunk = require 'report', require 'chunk'

local function sort_key(text) return (text:lower():gsub('[^%w]', '')) end

local function by_name(a, b)
  local x, y = sort_key(a.name), sort_key(b.name)
  if x ~= y then return x < y end
  return a.name < b.name
end

local function entry_line(inlines, links)
  local line = pandoc.List {pandoc.Span(inlines, {class = 'name'})}
  for _, link in ipairs(links) do
    line:insert(pandoc.Space())
    line:insert(link)
  end
  return pandoc.Plain(line)
end

local function index(id, title, items)
  if #items == 0 then return {} end
  return {pandoc.Header(1, title, pandoc.Attr(id, {'unnumbered'})),
    pandoc.Div({pandoc.BulletList(items)}, pandoc.Attr('', {'nwindex', id}))}
end

-- Subjects -----------------------------------------------------------------------------------

local subjects = {}      -- main entry -> {name, inlines, links, subs = {name -> the same}}

local function entry(table_of, name, inlines)
  if not table_of[name] then
    table_of[name] = {name = name, inlines = inlines, links = pandoc.List {}, subs = {}}
  end
  return table_of[name]
end

local function collect_subjects(doc)
  local count, number = 0, ''
  local function note(span)
    local is_term = span.classes:includes 'term'
    if not is_term and not span.classes:includes 'index' then return nil end
    count = count + 1
    span.identifier = 'ix:' .. count
    local text = span.attributes.of or pandoc.utils.stringify(span.content)
    span.attributes.of = nil
    local main, sub = text:match '^([^!]+)!(.+)$'
    local place = entry(subjects, main or text, {pandoc.Str(main or text)})
    if sub then place = entry(place.subs, sub, {pandoc.Str(sub)}) end
    place.links:insert(pandoc.Link(number, '#' .. span.identifier, '',
      {class = is_term and 'def' or 'use'}))
    return span
  end
  return doc:walk {traverse = 'topdown', Span = note, Header = function(h)
    if h.attributes.number then number = h.attributes.number end
    if h.level > 2 then number = number:match '^%w+%.%w+' or number end
  end}
end

local function sorted(entries)
  local list = pandoc.List {}
  for _, e in pairs(entries) do list:insert(e) end
  list:sort(by_name)
  return list
end

local function subject_items(entries)
  return sorted(entries):map(function(e)
    local blocks = pandoc.List {entry_line(e.inlines, e.links)}
    if next(e.subs) then blocks:insert(pandoc.BulletList(subject_items(e.subs))) end
    return blocks
  end)
end

-- Chunks and identifiers ---------------------------------------------------------------------

local function chunk_link(by_label, label, class)
  local k = by_label[label]
  return pandoc.Link(k and k.chapter .. '.' .. k.ordinal or '', '#' .. label, '', {class = class})
end

local function collect_chunks(doc)
  local by_label = chunk.all(doc)
  local names, identifiers = {}, {}
  local count, place = 0, {}    -- label -> the how manieth chunk of the book
  doc:walk {traverse = 'topdown', Div = function(div)
    if not div.classes:includes 'nwchunk' then return nil end
    local k = by_label[div.identifier]
    count = count + 1
    place[k.label] = count
    local e = entry(names, k.name, k.title)
    e.links:insert(chunk_link(by_label, k.label, 'def'))
    if #k.used > 0 then e.used = k.used end     -- (the first part of a chunk has them)
    for _, define in ipairs(k.defines) do
      local d = entry(identifiers, define.id,
        {pandoc.Code(define.id, {class = 'nw'})})
      d.links:insert(chunk_link(by_label, k.label, 'def'))
      d.used = d.used or pandoc.List {}
      for _, label in ipairs(define.labels) do d.used:insert(label) end
    end
  end}
  local function items(entries)
    return sorted(entries):map(function(e)
      local seen, used = {}, pandoc.List {}
      for _, label in ipairs(e.used or {}) do
        if place[label] and not seen[label] then
          seen[label] = true
          used:insert(label)
        end
      end
      used:sort(function(a, b) return place[a] < place[b] end)
      for _, label in ipairs(used) do e.links:insert(chunk_link(by_label, label, 'use')) end
      return {entry_line(e.inlines, e.links)}
    end)
  end
  return items(names), items(identifiers)
end

function Pandoc(doc)
  doc = collect_subjects(doc)
  local names, identifiers = collect_chunks(doc)
  if doc.meta.bibliography then
    doc.blocks:insert(pandoc.Header(1, 'Bibliography',
      pandoc.Attr('bibliography', {'unnumbered'})))
    doc.blocks:insert(pandoc.Div({}, pandoc.Attr('refs')))
  end
  if not doc.meta.draft then
    doc.blocks:extend(index('subjects', 'Index of subjects', subject_items(subjects)))
    doc.blocks:extend(index('chunks', 'Index of chunks', names))
    doc.blocks:extend(index('identifiers', 'Index of identifiers', identifiers))
  end
  return report.carry(doc)
end
