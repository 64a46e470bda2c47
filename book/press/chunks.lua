-- chunks.lua: a Pandoc filter, common to all editions.  Takes noweb's pipeline lines, which
-- markdown.awk put into code blocks, and makes of each chunk a Div as described in chunk.lua;
-- other code blocks get their syntax colours.  Quoted code in the text becomes Code, or a Link
-- around Code where an identifier is defined in a chunk; [[<<name>>]] becomes
-- Link .nwmention "#label", whose content is the chunk's name.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report, lexer, chunk = require 'report', require 'lexer', require 'chunk'

local chapters = {}        -- the chapters' files
local chunks = {}          -- all chunks, in order
local by_label = {}
local by_name = {}         -- name -> first chunk of that name
local definitions = {}     -- identifier -> the chunks that define it

-- Reading noweb's lines ----------------------------------------------------------------------

local function expand_tabs(line)
  local out = ''
  for text, tab in line:gmatch '([^\t]*)(\t?)' do
    out = out .. text
    if tab ~= '' then out = out .. (' '):rep(8 - #out % 8) end
  end
  return out
end

-- Handlers for the lines of a chunk: a table from "@xref ref" and so on to a function of the
-- chunk k, the rest of the line, and s, what has to be remembered from line to line.
local handlers = {
  ['@text'] = function(k, rest) k.source[#k.source + 1] = rest end,
  ['@nl'] = function(k) k.source[#k.source + 1] = '\n' end,
  ['@defn'] = function(k, rest) k.name = rest end,
  ['@use'] = function(k, rest, s)
    k.uses[#k.uses + 1] = {name = rest, label = s.reference}
    k.source[#k.source + 1] = '\1' .. #k.uses .. '\2'
  end,
  ['@xref ref'] = function(_, rest, s) s.reference = rest end,
  ['@xref label'] = function(k, rest) k.label = k.label or rest end,
  ['@xref prevdef'] = function(k, rest) k.prev = rest end,
  ['@xref nextdef'] = function(k, rest) k.next = rest end,
  ['@xref useitem'] = function(k, rest) k.used:insert(rest) end,
  ['@index isused'] = function(_, rest, s) s.places:insert(rest) end,
  ['@index defitem'] = function(k, rest, s)
    k.defines:insert {id = rest, labels = s.places}
    s.places = pandoc.List {}
  end,
  ['@index isdefined'] = function(_, rest, s) s.places:insert(rest) end,
  ['@index useitem'] = function(k, rest, s)
    k.needs:insert {id = rest}
    s.places = pandoc.List {}
  end,
}

local function parse(block)
  local k = {source = {}, uses = {}, used = pandoc.List {}, defines = pandoc.List {},
    needs = pandoc.List {}, roots = {}, file = block.attributes.file, line = block.attributes.line}
  local s = {places = pandoc.List {}}
  for line in block.text:gmatch '[^\n]+' do
    local word, rest = line:match '^(@%S+) ?(.*)$'
    if word == '@xref' or word == '@index' then
      local second, more = rest:match '^(%S+) ?(.*)$'
      word, rest = word .. ' ' .. second, more
    end
    local handle = handlers[word]
    if handle then handle(k, rest, s) end
  end
  local source = table.concat(k.source):gsub('^\n', ''):gsub('%s+$', '')
  k.source = source:find '\t' and source:gsub('[^\n]+', expand_tabs) or source
  return k
end

local function is_file(name) return name:match '^[%w_./-]+%.%a%w*$' or name == 'Makefile' end

-- Which files does a chunk go into?  The first one's name says in what language it is written.
local function give_root(name, root)
  for _, k in ipairs(by_name[name] or {}) do
    if not k.roots[root] then
      k.roots[root] = true
      k.public = k.public or root:match '%.h$' ~= nil
      k.lang = k.lang or lexer.language(root)
      for _, use in ipairs(k.uses) do give_root(use.name, root) end
    end
  end
end

local function give_roots()
  for _, k in ipairs(chunks) do
    if is_file(k.name) then give_root(k.name, k.name) end
  end
  for _, k in ipairs(chunks) do k.lang = k.lang or 'c' end
end

-- Identifiers --------------------------------------------------------------------------------

-- noweb's finduses looks for identifiers in the whole text; those in strings and in comments are
-- none.  The identifiers of a chunk, as a set:
local function identifiers_of(k)
  if not k.identifiers then
    k.identifiers = {}
    lexer.tokens(k.source .. '\n', k.lang, function(kind, token)
      if kind == 'id' then k.identifiers[token] = true end
    end)
  end
  return k.identifiers
end

local function share_root(a, b)
  for root in pairs(a.roots) do
    if b.roots[root] then return true end
  end
  return false
end

-- The label of the chunk that defines what chunk k calls by this name.  What a header defines, and
-- names with the library's prefix, are known everywhere; other names in their own file only.  In
-- the text (k is nil) such a name is linked if only one chunk defines it.
local function definition(id, k)
  local list = definitions[id]
  if not list then return nil end
  if not k then return (#list == 1 or id:match '^[dD][lL]_') and list[1].label or nil end
  for _, d in ipairs(list) do
    if share_root(d, k) then return d.label end
  end
  for _, d in ipairs(list) do
    if d.public or id:match '^[dD][lL]_' then return d.label end
  end
end

-- Formatting ---------------------------------------------------------------------------------

-- A chunk's name is Markdown with [[code]] in it.
local function formatted(name)
  if is_file(name) then return pandoc.Inlines {pandoc.Code(name, {class = 'nwfile'})} end
  local markdown = name:gsub('%[%[(.-)%]%]', '`%1`{.nw}')
  return pandoc.utils.blocks_to_inlines(pandoc.read(markdown, 'markdown-smart').blocks)
end

-- Adds code to the collector, its identifiers linked, save those defined in chunk k itself.
local function add_code(out, text, language, k)
  lexer.tokens(text, language, function(kind, token)
    if kind == 'id' then
      local label = definition(token, k)
      if label and not (k and label == k.label) then out.link('id', label, token)
      else out.add('tx', token) end
    elseif kind == 'use' then
      local use = k.uses[tonumber(token:match '%d+')]
      local first = by_name[use.name] and by_name[use.name][1]
      if first then out.link('use', first.label, use.name)
      else out.add('tx', '<<' .. use.name .. '>>') end
    else
      -- a chunk may be used inside a comment or a string
      for before, number in (token .. '\1'):gmatch '([^\1]*)\1(%d*)\2?' do
        out.add(kind, before)
        local use = number ~= '' and k and k.uses[tonumber(number)]
        local first = use and by_name[use.name] and by_name[use.name][1]
        if first then out.link('use', first.label, use.name) end
      end
    end
  end)
end

local function join(list, separator, show)
  local words, seen = {}, {}
  for _, item in ipairs(list) do
    local word = item
    if show then word = show(item) end
    if word and not seen[word] then seen[word] = true; words[#words + 1] = word end
  end
  return table.concat(words, separator)
end

local function chunk_div(k)
  local out = chunk.collector()
  add_code(out, k.source .. '\n', k.lang, k)
  local attributes = {name = k.name, lang = k.lang, file = k.file, line = k.line,
    chapter = k.chapter, ordinal = k.ordinal, prev = k.prev, next = k.next,
    root = is_file(k.name) and 'file' or nil,
    used = join(k.used, ' '),
    needs = join(k.needs, ' ', function(need)
      local label = identifiers_of(k)[need.id] and definition(need.id, k)
      return label and label ~= k.label and need.id .. '=' .. label
    end),
    defines = join(k.defines, ' ', function(define)
      return define.id .. '=' .. join(define.labels, ',', function(label)
        local user = by_label[label]
        return label ~= k.label and user and identifiers_of(user)[define.id]
          and definition(define.id, user) == k.label and label
      end)
    end)}
  return pandoc.Div({pandoc.Plain(formatted(k.name)), out.block()},
    pandoc.Attr(k.label, {'nwchunk'}, attributes))
end

local function plain_div(block)
  local out = chunk.collector()
  local language = lexer.known(block.classes[1] or 'text') or 'text'
  add_code(out, block.text .. '\n', language)
  local attributes = {lang = language}
  for key, value in pairs(block.attributes) do attributes[key] = value end
  return pandoc.Div({out.block()},
    pandoc.Attr(block.identifier, {block.classes:includes 'excerpt' and 'excerpt' or 'nwplain'},
      attributes))
end

local function mention(name)
  local first = by_name[name] and by_name[name][1]
  if not first then
    report.find(chapters, '[[<<' .. name .. '>>]]', 'there is no chunk <<%s>>', name)
    return pandoc.Str(name)
  end
  return pandoc.Link(formatted(name), '#' .. first.label, '', {class = 'nwmention'})
end

-- [[code]] in the text
local function quoted(code)
  if not code.classes:includes 'nw' then return nil end
  local name = code.text:match '^<<(.*)>>$'
  if name then return mention(name) end
  local inlines, plain = pandoc.List {}, ''
  local function flush()
    if plain ~= '' then inlines:insert(pandoc.Code(plain, {class = 'nw'})) end
    plain = ''
  end
  lexer.tokens(code.text, 'c', function(kind, token)
    local label = kind == 'id' and definition(token)
    if label then
      flush()
      inlines:insert(pandoc.Link({pandoc.Code(token, {class = 'nw'})}, '#' .. label, '',
        {class = 'nwid'}))
    else plain = plain .. token end
  end)
  flush()
  return inlines
end

-- The filter ---------------------------------------------------------------------------------

-- First pass: collect the chunks, and number them within each chapter.
local function collect(doc)
  local chapter, ordinal = 0, 0
  doc:walk {traverse = 'topdown',
    Div = function(div)
      if not div.classes:includes 'nwfile' then return nil end
      chapter = tonumber(div.attributes.name:match '(%d+)[^/]*$') or chapter + 1
      ordinal = 0
    end,
    CodeBlock = function(block)
      if block.classes[1] ~= 'nwchunk' then return nil end
      local k = parse(block)
      ordinal = ordinal + 1
      k.chapter, k.ordinal = tostring(chapter), tostring(ordinal)
      chunks[#chunks + 1] = k
      by_label[k.label] = k
      by_name[k.name] = by_name[k.name] or {}
      table.insert(by_name[k.name], k)
    end}
  for _, k in ipairs(chunks) do
    for _, define in ipairs(k.defines) do
      definitions[define.id] = definitions[define.id] or {}
      table.insert(definitions[define.id], k)
    end
  end
end

function Pandoc(doc)
  chapters = report.chapters(doc)
  collect(doc)
  give_roots()
  local position = 0
  doc = doc:walk {
    traverse = 'topdown',
    CodeBlock = function(block)
      if block.classes[1] ~= 'nwchunk' then return plain_div(block), false end
      position = position + 1
      return chunk_div(chunks[position]), false
    end,
  }
  doc = doc:walk {Code = quoted}
  return report.carry(doc)
end
