-- chunks-latex.lua: a Pandoc filter for the PDF.  Writes as LaTeX the chunks, code blocks and
-- excerpts that chunks.lua took apart (their form is described in chunk.lua).  The macros are
-- in layout.tex.
--
-- A chunk has a head ⟨name 12a⟩≡ with links to its previous and next definition, its code, and a
-- note in the margin: where it is used, and where the identifiers stand that it defines or needs.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local chunk, tex = require 'chunk', require 'latexwriter'

local by_label, titles = {}, {}     -- all chunks; the names of chunks, as LaTeX

local SHORT = 12                    -- chunks of so many lines are not broken
local MANY = 6                      -- more references than these are left to the index

local function title(name)
  return titles[name] or tex.escape(name)
end

local writer = {
  text = tex.escape_line,
  kind = function(kind, text) return ('\\nw%s{%s}'):format(kind, text) end,
  id = function(label, text) return ('\\nwid{%s}{%s}'):format(label, text) end,
  use = function(label, name) return ('\\nwuse{%s}{%s}'):format(label, title(name)) end,
}

-- Lines of code, each in a macro that says whether the page may be broken behind it:
-- \nwkeep never, \nwline reluctantly, \nwblank gladly.
local function code(tokens)
  local lines = chunk.lines(tokens, writer)
  local out = {}
  for i, line in ipairs(lines) do
    local whole = #lines <= SHORT or i <= 3 or i >= #lines - 3
    local before_brace = lines[i + 1] and lines[i + 1]:gsub('\\nwsp{}', '') == '\\}'
    if i == #lines or whole or before_brace or lines[i + 1] == '' then
      out[i] = '\\nwkeep{' .. line .. '}'
    elseif line == '' then out[i] = '\\nwblank'
    else out[i] = '\\nwline{' .. line .. '}' end
  end
  return table.concat(out, '\n')
end

-- The page tags of some chunks.
local function tags(labels)
  local list, seen = {}, {}
  for _, label in ipairs(labels) do
    if by_label[label] and not seen[label] then
      seen[label] = true
      if #list == MANY then
        list[#list + 1] = '\\dots'
        break
      end
      list[#list + 1] = '\\nwref{' .. label .. '}'
    end
  end
  return table.concat(list, ', ')
end

local function margin(k)
  local note = {}
  if #k.used > 0 then note[#note + 1] = '\\nwused{' .. tags(k.used) .. '}' end
  for _, define in ipairs(k.defines) do
    local places = tags(define.labels)
    if places ~= '' then
      note[#note + 1] = ('\\nwdefines{%s}{%s}'):format(tex.code(define.id), places)
    end
  end
  for _, need in ipairs(k.needs) do
    local label = need.labels[1]
    if by_label[label] then
      note[#note + 1] = ('\\nwneeds{%s}{%s}'):format(label, tex.code(need.id))
    end
  end
  return table.concat(note)
end

local function whole_chunk(div)
  local k = chunk.read(div)
  local known = function(label) return label and by_label[label] and label or '' end
  return tex.raw_block(('\\begin{nwchunk}{%s}{%s}{%s}{%s}{%s}\n%s\n\\end{nwchunk}')
    :format(k.label, title(k.name), known(k.prev), known(k.next), margin(k), code(k.tokens)))
end

local function excerpt(div)
  local k, a = chunk.read(div), div.attributes
  return tex.raw_block(('\\begin{nwexcerpt}{%s}\n%s\n\\end{nwexcerpt}')
    :format(tex.escape(a.file), code(k.tokens)))
end

local function plain(div)
  return tex.raw_block('\\begin{nwplain}\n' .. code(chunk.read(div).tokens) .. '\n\\end{nwplain}')
end

function Pandoc(doc)
  local names
  by_label, names = chunk.all(doc)
  for name, inlines in pairs(names) do titles[name] = tex.latex(inlines) end
  return doc:walk {
    Div = function(div)
      if div.classes:includes 'nwchunk' then return whole_chunk(div) end
      if div.classes:includes 'excerpt' then return excerpt(div) end
      if div.classes:includes 'nwplain' then return plain(div) end
    end,
    Link = function(link)
      if not link.classes:includes 'nwmention' then return nil end
      return tex.raw(('\\nwuse{%s}{%s}'):format(link.target:sub(2), tex.latex(link.content)))
    end,
  }
end
