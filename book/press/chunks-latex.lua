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
-- Penalties for a page's end behind an empty line and behind others, by the depth of what follows.
-- Their last digit, modulo 10, is 7: by this layout.tex knows that code goes on (no figure may come between).
local EMPTY = {[0] = -23, 47, 197, 747}
local FULL = {[0] = 147, 397, 797, 3997}
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

-- Where a page may end ------------------------------------------------------------------------

-- The same lines, bare: without comments (a line of comment only is "/*") and formatting.
local bare = {
  text = function(text) return text end,
  kind = function(kind, text) return kind == 'co' and '\1' or text end,
  id = function(_, text) return text end,
  use = function() return '<<use>>;' end,
}
local function bare_lines(tokens)
  local lines = chunk.lines(tokens, bare)
  for i, line in ipairs(lines) do
    local rest = line:gsub('%s*\1', '')
    lines[i] = rest:match '%S' and rest:gsub('%s+$', '') or line:find '\1' and '/*' or ''
  end
  return lines
end

local function depth(line) return #line:match '^ *' end

-- Does a statement end with this line?  In C we can tell; in other languages we believe it if no
-- parenthesis or the like is open.
local function ends_statement(line, lang)
  if line == '' then return true end
  if line == '/*' or line:match '\\$' then return false end
  if lang == 'c' then return line:match '[;}]$' or line:match '^#' end
  return not line:match '[,({%[=|&+]$'
end

-- The price of a page's end behind each line; nil forbids it.  Best is an empty line of the chunk;
-- the deeper the code that goes on below is indented, the worse.
local function prices(tokens, lang)
  local lines, list = bare_lines(tokens), {}
  if #lines <= SHORT then return list end
  local least = math.huge
  for _, line in ipairs(lines) do
    if line ~= '' and line ~= '/*' then least = math.min(least, depth(line)) end
  end
  for i = 3, #lines - 3 do
    local line, after = lines[i], lines[i + 1]
    local word = after:match '^%s*([%a}{]*)'
    if after ~= '' and ends_statement(line, lang) and word ~= 'else' and not word:match '^[}{]' then
      local level = after == '/*' and 0 or math.min((depth(after) - least) // 4, 3)
      list[i] = line == '' and EMPTY[level] or FULL[level]
    end
  end
  return list
end

-- Lines of code, each in a macro that says whether the page may end behind it.
local function code(tokens, lang)
  local price = prices(tokens, lang)
  local out = {}
  for i, line in ipairs(chunk.lines(tokens, writer)) do
    out[i] = price[i] and ('\\nwcut{%d}{%s}'):format(price[i], line) or '\\nwkeep{' .. line .. '}'
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
    :format(k.label, title(k.name), known(k.prev), known(k.next), margin(k), code(k.tokens, k.lang)))
end

local function excerpt(div)
  local k, a = chunk.read(div), div.attributes
  return tex.raw_block(('\\begin{nwexcerpt}{%s}\n%s\n\\end{nwexcerpt}')
    :format(tex.escape(a.file), code(k.tokens, k.lang)))
end

local function plain(div)
  local k = chunk.read(div)
  if div.classes:includes 'command' then      -- for the shell
    return tex.raw_block('\\nwcommand{' .. chunk.lines(k.tokens, writer)[1] .. '}')
  end
  return tex.raw_block('\\begin{nwplain}\n' .. code(k.tokens, k.lang) .. '\n\\end{nwplain}')
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
