-- chunks-html.lua: a Pandoc filter for HTML and EPUB.  Writes as HTML the chunks, code blocks
-- and excerpts that chunks.lua took apart (their form is described in chunk.lua).
--
-- A chunk has a head ⟨name 2.7⟩≡, its cross references (where it is continued and used, where
-- the identifiers that it needs are defined), its code, and below it where the identifiers that
-- it defines are used.  All links have the form "#label"; pages.lua finds the page.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local chunk = require 'chunk'

local by_label, titles     -- all chunks; the formatted names of chunks, as HTML

local ESCAPES = {['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;'}
local function escape(text) return (text:gsub('[&<>"]', ESCAPES)) end

-- Inlines as HTML; without links, since a chunk's name is often part of one.
local function html(inlines)
  local plain = pandoc.Plain(inlines):walk {Link = function(l) return l.content end}
  local text = pandoc.write(pandoc.Pandoc {plain}, 'html5')
  return (text:gsub('%s+$', ''):gsub('\n', ' '))
end

local function number(k) return k.chapter .. '.' .. k.ordinal end

-- A chunk's number, linked to it.
local function link(label)
  local k = by_label[label]
  if not k then return '?' end
  return ('<a href="#%s" title="%s">%s</a>'):format(label, escape(k.name), number(k))
end

local function links(labels, except)
  local list = {}
  for _, label in ipairs(labels) do
    if label ~= except then list[#list + 1] = link(label) end
  end
  return table.concat(list, ', ')
end

-- ⟨name 2.7⟩, as it stands in code and text.
local function use(label, name)
  local k = by_label[label]
  return ('<a class="nwuse" href="#%s">⟨%s<small>%s</small>⟩</a>')
    :format(label, titles[name] or escape(name), k and number(k) or '?')
end

local writer = {
  text = escape,
  kind = function(kind, text) return ('<span class="%s">%s</span>'):format(kind, text) end,
  id = function(label, text) return ('<a href="#%s">%s</a>'):format(label, text) end,
  use = use,
}

local function pre(tokens)
  return ('<pre><code>%s</code></pre>')
    :format(table.concat(chunk.lines(tokens, writer), '\n'))
end

local function head(k)
  return ('<div class="nwhead"><span class="nwname">⟨%s<small>%s</small>⟩%s</span></div>')
    :format(titles[k.name], number(k), k.prev and '+≡' or '≡')
end

-- The cross references beside the chunk.
local function side(k)
  local lines = {}
  local function add(...) lines[#lines + 1] = '<div>' .. string.format(...) .. '</div>' end
  if k.prev then add('continues %s', link(k.prev)) end
  if k.next then add('continued in %s', link(k.next)) end
  if #k.used > 0 then add('used in %s', links(k.used)) end
  for _, need in ipairs(k.needs) do
    add('<code>%s</code> %s', escape(need.id), links(need.labels))
  end
  return #lines > 0 and '<div class="nwside">' .. table.concat(lines, '\n') .. '</div>' or ''
end

-- Below the chunk: what it defines, and where that is used.
local function foot(k)
  local list = {}
  for _, define in ipairs(k.defines) do
    local places = links(define.labels, k.label)
    if places ~= '' then
      list[#list + 1] = ('<code>%s</code> used in %s'):format(escape(define.id), places)
    end
  end
  return #list > 0 and '<div class="nwfoot">' .. table.concat(list, '; ') .. '</div>' or ''
end

local function chunk_html(k)
  return ('<div class="nwchunk" id="%s">\n%s\n%s\n%s\n%s</div>')
    :format(k.label, head(k), side(k), pre(k.tokens), foot(k))
end

local function with_file_name(k, name)
  local what = name and ('<p class="file"><code>%s</code></p>\n'):format(escape(name)) or ''
  return what .. pre(k.tokens)
end

local function Div(div)
  local class = div.classes[1]
  if class == 'nwchunk' then return pandoc.RawBlock('html', chunk_html(chunk.read(div))) end
  if div.classes:includes 'command' then
    return pandoc.RawBlock('html', (pre(chunk.read(div).tokens):gsub('<pre', '<pre class="command"', 1)))
  end
  if class == 'nwplain' or class == 'excerpt' then
    return pandoc.RawBlock('html', with_file_name(chunk.read(div), div.attributes.file))
  end
end

-- The mention of a chunk in the text.
local function Link(l)
  if not l.classes:includes 'nwmention' then return nil end
  local k = by_label[l.target:sub(2)]
  return k and pandoc.RawInline('html', use(k.label, k.name))
end

function Pandoc(doc)
  by_label, titles = chunk.all(doc)
  for name, title in pairs(titles) do titles[name] = html(title) end
  return doc:walk {Div = Div, Link = Link}
end
