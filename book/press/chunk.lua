-- chunk.lua: the form in which code travels from the common filters to the editions.  A module.
--
-- THE FORMAT.  In book.json all code blocks have been taken apart.  There are three:
--
--   Div .nwchunk    a chunk of the program
--   Div .nwplain    any other fenced block; attribute lang
--   Div .excerpt    a part of a file, cut by excerpts.lua; attributes file, part, line, lang
--
-- Each holds a CodeBlock of class "tokens" whose text has one token a line, "KIND TEXT":
--
--   tx TEXT          operators, spaces, names without a link
--   kw ty pp co st nu TEXT     keyword, type, directive, comment, string, number
--   id LABEL TEXT    an identifier, to be linked to the chunk LABEL that defines it
--   use LABEL NAME   the use of the chunk NAME, whose first definition is LABEL
--   nl               end of line (the last line has one, too); tabs are already expanded
--
-- A Div .nwchunk has the identifier LABEL and
--
--   a first block, Plain: the chunk's name, formatted (Code, Math and Str inlines)
--   attributes name (as in the chapter), root ("file" when the name is a file's), lang,
--     file and line (in book/), chapter and ordinal ("2" and "7": the chunk 2.7),
--     prev and next (labels of the same chunk's previous and next definition, or absent),
--     used (labels of the chunks that use it), needs ("id=LABEL id=LABEL": identifiers used
--     here and defined elsewhere), defines ("id=LABEL,LABEL id=": identifiers defined here and
--     where they are used).
--
-- An edition reads a Div with chunk.read(div), and goes through its code with
-- chunk.lines(tokens, writer), where writer has a function for each kind that is to be treated
-- specially; see the functions below.  Names of chunks, formatted, come from chunk.names(doc).

local chunk = {}

local KINDS = {'tx', 'kw', 'ty', 'pp', 'co', 'st', 'nu', 'id', 'use', 'nl'}
chunk.KINDS = KINDS

-- Writing ------------------------------------------------------------------------------------

-- Collects tokens; neighbours of kind tx are joined, text is cut at line ends.
function chunk.collector()
  local out, plain = {}, {}
  local function flush()
    if #plain > 0 then out[#out + 1] = 'tx ' .. table.concat(plain) end
    plain = {}
  end
  local self = {}
  function self.newline()
    flush()
    out[#out + 1] = 'nl'
  end
  function self.add(kind, text)
    for piece, newline in text:gmatch '([^\n]*)(\n?)' do
      if piece ~= '' then
        if kind == 'tx' then plain[#plain + 1] = piece
        else flush(); out[#out + 1] = kind .. ' ' .. piece end
      end
      if newline ~= '' then self.newline() end
    end
  end
  function self.link(kind, label, text)
    flush()
    out[#out + 1] = kind .. ' ' .. label .. ' ' .. text
  end
  function self.block()
    if #plain > 0 or (#out > 0 and out[#out] ~= 'nl') then self.newline() end
    -- An empty first line separates two definitions of a chunk in the tangled file, not on the page.
    while out[1] == 'nl' do table.remove(out, 1) end
    return pandoc.CodeBlock(table.concat(out, '\n'), {class = 'tokens'})
  end
  return self
end

-- Reading ------------------------------------------------------------------------------------

local function words(text)
  local list = {}
  for word in (text or ''):gmatch '%S+' do list[#list + 1] = word end
  return list
end

-- The identifiers of attribute needs or defines: a list of {id = ..., labels = {...}}.
local function identifiers(text)
  local list = {}
  for _, word in ipairs(words(text)) do
    local id, labels = word:match '^([^=]+)=(.*)$'
    list[#list + 1] = {id = id, labels = words(labels:gsub(',', ' '))}
  end
  return list
end

-- A Div .nwchunk (or .nwplain, .excerpt) as a table.
function chunk.read(div)
  local a = div.attributes
  local k = {label = div.identifier, lang = a.lang, file = a.file, line = a.line}
  for _, block in ipairs(div.content) do
    if block.t == 'CodeBlock' then k.tokens = block.text
    else k.title = block.content end
  end
  k.name, k.is_file = a.name, a.root == 'file'
  k.chapter, k.ordinal = a.chapter, a.ordinal
  k.prev, k.next = a.prev, a.next
  k.used = words(a.used)
  k.needs = identifiers(a.needs)
  k.defines = identifiers(a.defines)
  return k
end

-- All chunks of a document by label, and the formatted names of all chunks by name.
function chunk.all(doc)
  local by_label, titles = {}, {}
  doc:walk {Div = function(div)
    if div.classes:includes 'nwchunk' then
      local k = chunk.read(div)
      by_label[k.label] = k
      titles[k.name] = titles[k.name] or k.title
    end
  end}
  return by_label, titles
end

-- The lines of the code as strings.  The writer has
--   writer.text(text)            escapes text of kind tx (and of all others)
--   writer.kind(kind, escaped)   marks a keyword, comment ...
--   writer.id(label, escaped)    links an identifier
--   writer.use(label, name)      shows the use of a chunk
function chunk.lines(tokens, writer)
  local lines, current = {}, {}
  for token in tokens:gmatch '[^\n]+' do
    local kind, text = token:match '^(%l+) ?(.*)$'
    if kind == 'nl' then
      lines[#lines + 1] = table.concat(current)
      current = {}
    elseif kind == 'tx' then current[#current + 1] = writer.text(text)
    elseif kind == 'id' or kind == 'use' then
      local label, rest = text:match '^(%S+) (.*)$'
      current[#current + 1] = kind == 'use' and writer.use(label, rest)
        or writer.id(label, writer.text(rest))
    else current[#current + 1] = writer.kind(kind, writer.text(text)) end
  end
  return lines
end

return chunk
