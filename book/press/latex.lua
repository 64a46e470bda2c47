-- latex.lua: a Pandoc filter for the PDF; runs behind chunks-latex.lua.  Writes as LaTeX what
-- number.lua numbered: headings, equations, figures, tables, theorems, exercises, the indices,
-- links and margin notes.  The macros are in layout.tex.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local tex = require 'latexwriter'
local raw, raw_block = tex.raw, tex.raw_block

local figures = 'build/figures/'

local function wrap(before, inlines, after)
  local list = pandoc.List {raw(before)}
  list:extend(inlines)
  list:insert(raw(after))
  return list
end

-- Headings -----------------------------------------------------------------------------------

local COMMANDS = {'chapter', 'section', 'subsection', 'subsubsection'}
local UNNUMBERED = {'addchap', 'addsec', 'subsection*', 'subsubsection*'}

local function header(h)
  local number = h.attributes.number
  local command = number and COMMANDS[h.level] or UNNUMBERED[h.level]
  local before = '\\' .. command .. '{'
  if h.level == 1 and number then
    before = tonumber(number) and ('\\setcounter{chapter}{%d}'):format(number - 1) .. before
      or (number == 'A' and '\\appendix' or '') .. before
  elseif h.level == 1 then      -- bibliography and indices need not begin on the right
    before = '\\KOMAoption{open}{any}' .. before
  end
  local content = h.content
  local has_math = false
  pandoc.Plain(content):walk {Math = function() has_math = true end}
  if has_math then     -- for the bookmarks, which know no formulas
    content = wrap('\\texorpdfstring{', content, '}{'
      .. tex.latex(pandoc.Inlines(pandoc.utils.stringify(content))) .. '}')
  end
  return pandoc.Plain(wrap(before, content, '}' .. tex.target(h.identifier)))
end

-- Mathematics --------------------------------------------------------------------------------

local function is_equation(block)
  return block and block.t == 'Div' and block.classes:includes 'equation'
end

local function trimmed(text) return (text:gsub('^%s+', ''):gsub('%s+$', '')) end

local function math_of(div)
  for _, inline in ipairs(div.content[1].content) do
    if inline.t == 'Math' then return inline end
  end
end

local function equation(div)
  local math = math_of(div)
  return raw(('\\begin{equation*}\\tag{%s}%s%s\\end{equation*}')
    :format(div.attributes.number, tex.target(div.identifier), trimmed(math.text)))
end

local function is_display(block)
  return block.t == 'Para' and #block.content <= 2 and block.content[1].t == 'Math'
    and block.content[1].mathtype == 'DisplayMath'
end

-- Does the paragraph go on with the sentence of the one before?
local function goes_on(para)
  local first = para.content[1]
  return first.t == 'Str' and first.text:match '^%l' or first.t == 'Math'
end

-- A displayed equation belongs to the paragraph before it, and may belong to the one behind:
-- TeX must not see a paragraph's end there.
local function joined(blocks)
  local out = pandoc.List {}
  local after_display = false
  for _, block in ipairs(blocks) do
    local last = out[#out]
    local display = is_equation(block) or is_display(block)
    local content = is_equation(block) and pandoc.List {equation(block)} or block.content
    if display and last and last.t == 'Para' then
      last.content:insert(pandoc.SoftBreak())
      last.content:extend(content)
    elseif display then
      out:insert(pandoc.Para(wrap('\\nwleave ', content, '')))
    elseif after_display and block.t == 'Para' and goes_on(block) then
      last.content:insert(pandoc.SoftBreak())
      last.content:extend(content)
    else out:insert(block) end
    after_display = display or after_display and block.t == 'Para' and out[#out] == last
  end
  return out
end

-- Figures and tables -------------------------------------------------------------------------

local function graphic(image)
  local name = image.src:gsub('^figures/', figures)
  if not name:match '%.%a+$' then name = name .. '.pdf' end
  local width = (image.attributes.width or ''):match '^([%d.]+)%%$'
  local option = width and ('[width=%.3f\\linewidth]'):format(width / 100) or ''
  return ('\\nwgraphic%s{%s}'):format(option, name)
end

local function caption(inlines, div, command)
  local before = ('\\%s{%s}{'):format(command, div.attributes.number)
  local after = '}' .. (div.identifier ~= '' and tex.target(div.identifier) or '')
  return wrap(before, inlines, after)
end

local function figure(div)
  local image = div.content[1].content[1]
  local line = pandoc.List {raw('\\begin{figure}[htp]\\centering' .. graphic(image))}
  line:extend(caption(image.caption, div, 'nwfigurecaption'))
  line:insert(raw '\\end{figure}')
  return pandoc.Plain(line)
end

local ALIGN = {AlignLeft = 'l', AlignRight = 'r', AlignCenter = 'c', AlignDefault = 'l'}
local RAGGED = {l = '\\raggedright', r = '\\raggedleft', c = '\\centering'}

local function column(align, width)
  local letter = ALIGN[tostring(align)] or 'l'
  if not width or width == 0 then return letter end
  return ('>{%s\\arraybackslash}p{\\dimexpr%.4f\\linewidth-2\\tabcolsep}')
    :format(RAGGED[letter], width)
end

local function row(cells)
  local line = pandoc.List {}
  for i, cell in ipairs(cells) do
    if i > 1 then line:insert(raw ' & ') end
    line:extend(pandoc.utils.blocks_to_inlines(cell))
  end
  line:insert(raw ' \\\\\n')
  return line
end

-- The inlines of a table without its float.
local function tabular(t)
  local simple = pandoc.utils.to_simple_table(t)
  local columns = {}
  for i, align in ipairs(simple.aligns) do columns[i] = column(align, simple.widths[i]) end
  local line = pandoc.List {
    raw('\\begin{tabular}{@{}' .. table.concat(columns) .. '@{}}\\toprule\n')}
  local has_head = false
  for _, cell in ipairs(simple.headers) do has_head = has_head or #cell > 0 end
  if has_head then
    line:extend(row(simple.headers))
    line:insert(raw '\\midrule\n')
  end
  for _, cells in ipairs(simple.rows) do line:extend(row(cells)) end
  line:insert(raw '\\bottomrule\\end{tabular}')
  return line
end

local function numbered_table(div)
  local t = div.content[1]
  local line = pandoc.List {raw '\\begin{table}[htp]\\centering'}
  line:extend(caption(pandoc.utils.blocks_to_inlines(t.caption.long), div, 'nwtablecaption'))
  line:extend(wrap('\\nwtable{', tabular(t), '}'))
  line:insert(raw '\\end{table}')
  return pandoc.Plain(line)
end

local function bare_table(t)
  return pandoc.Plain(wrap('\\begin{center}\\nwtable{', tabular(t), '}\\end{center}'))
end

-- Theorems, exercises ------------------------------------------------------------------------

-- Puts inlines before the text of the first paragraph.
local function run_in(blocks, inlines)
  local first = blocks[1]
  if first and (first.t == 'Para' or first.t == 'Plain') then
    local line = pandoc.List(inlines)
    line:insert(pandoc.Space())
    line:extend(first.content)
    blocks[1] = pandoc.Para(line)
  else blocks:insert(1, pandoc.Para(inlines)) end
end

local function environment(name, blocks)
  if name == 'nwtheorem' then         -- no page ends between its paragraphs
    for i = #blocks, 2, -1 do blocks:insert(i, raw_block '\\par\\nobreak') end
  end
  blocks:insert(1, raw_block('\\begin{' .. name .. '}'))
  blocks:insert(raw_block('\\end{' .. name .. '}'))
  return blocks
end

-- The title of an exercise ends like a sentence.
local function with_stop(inlines)
  if pandoc.utils.stringify(inlines):match '[.?!]$' then return inlines end
  return inlines .. {pandoc.Str '.'}
end

-- The heading that number.lua made, as LaTeX: number, title, level.
local function heading(div)
  local in_exercise = div.classes:includes 'exercise' or div.classes:includes 'solution'
  local line = div.content:remove(1)
  local out = pandoc.List {raw(div.identifier ~= '' and tex.target(div.identifier) or '')}
  for _, inline in ipairs(line.content) do
    local kind = inline.classes and (inline.classes:includes 'head' and 'head'
      or inline.classes:includes 'title' and 'title' or inline.classes:includes 'level' and 'level')
    if kind == 'head' and inline.t == 'Link' then
      out:extend(wrap('\\nwhead{\\nwlink{' .. inline.target:sub(2) .. '}{', inline.content, '}}'))
    elseif kind == 'title' and in_exercise then
      out:extend(wrap('\\nwtitle{', with_stop(inline.content), '}'))
    elseif kind then out:extend(wrap('\\nw' .. kind .. '{', inline.content, '}'))
    else out:insert(raw '\\ ') end
  end
  out:insert(raw '\\nwheadend{}')
  return out
end

-- The proof's end mark stands at the end of its last line, also if that is a formula.
local function proof(div)
  local blocks = div.content
  run_in(blocks, {pandoc.Emph 'Proof.'})
  local last = blocks[#blocks]
  local final = last.t == 'Para' and last.content[#last.content]
  if final and final.t == 'Math' and final.mathtype == 'DisplayMath' then
    last.content[#last.content] = raw('\\begin{equation*}' .. trimmed(final.text)
      .. '\\tag*{\\nwqedsign}\\end{equation*}')
  elseif final then last.content:insert(raw '\\nwqed')
  else blocks:insert(raw_block '\\noindent\\nwqed') end
  return environment('nwproof', blocks)
end

-- Indices ------------------------------------------------------------------------------------

local function page_list(line, class)
  local labels = {}
  for _, inline in ipairs(line.content) do
    if inline.t == 'Link' and inline.classes:includes(class) then
      labels[#labels + 1] = inline.target:sub(2)
    end
  end
  return table.concat(labels, ',')
end

local function index_items(list, level, command, out)
  for _, item in ipairs(list.content) do
    local line = item[1]
    out[#out + 1] = ('\\nwentry{%d}{%s}{\\%s{%s}{%s}}'):format(level,
      tex.latex(line.content[1].content), command, page_list(line, 'def'),
      page_list(line, 'use'))
    if item[2] then index_items(item[2], level + 1, command, out) end
  end
end

local function index(div)
  local command = div.classes:includes 'subjects' and 'nwpages' or 'nwtags'
  local out = {}
  index_items(div.content[1], 0, command, out)
  return raw_block('\\begin{nwindex}\n' .. table.concat(out, '\n') .. '\n\\end{nwindex}')
end

-- The filter ---------------------------------------------------------------------------------

local THEOREMS = {theorem = 'nwtheorem', lemma = 'nwtheorem', definition = 'nwtheorem',
  exercise = 'nwexercise', solution = 'nwsolution'}

local function div(d)
  for class, name in pairs(THEOREMS) do
    if d.classes:includes(class) then
      local head = heading(d)
      run_in(d.content, head)
      return environment(name, d.content)
    end
  end
  if d.classes:includes 'proof' then return proof(d) end
  if d.classes:includes 'figure' then return figure(d) end
  if d.classes:includes 'table' then return numbered_table(d) end
  if d.classes:includes 'nwindex' then return index(d) end
  if d.classes:includes 'ledger' then return environment('nwledger', d.content) end
end

local function link(l)
  if l.target:sub(1, 1) ~= '#' then
    if pandoc.utils.stringify(l.content) == l.target then
      local text = tex.escape(l.target):gsub('[/.]%f[%w]', '%0\\nwbreak{}')
      return raw('\\nwurl{' .. l.target:gsub('[%%#]', '\\%0') .. '}{' .. text .. '}')
    end
    return wrap('\\href{' .. l.target:gsub('[%%#]', '\\%0') .. '}{', l.content, '}')
  end
  return wrap('\\nwlink{' .. l.target:sub(2) .. '}{', l.content, '}')
end

local function span(s)
  local target = s.identifier ~= '' and tex.target(s.identifier) or ''
  if s.classes:includes 'margin' then return wrap('\\nwmargin{', s.content, '}') end
  if s.classes:includes 'term' then return wrap(target .. '\\nwterm{', s.content, '}') end
  if s.classes:includes 'index' then return wrap(target .. '{', s.content, '}') end
  if s.classes:includes 'unresolved' then return wrap('\\nwunresolved{', s.content, '}') end
end

function Pandoc(doc)
  if doc.meta.figures then figures = pandoc.utils.stringify(doc.meta.figures) .. '/' end
  -- equations first, while they are still Divs; then what may hold them
  doc = doc:walk {Blocks = joined}
  doc = doc:walk {Div = div, Header = header}
  doc = doc:walk {Table = bare_table}
  doc = doc:walk {
    Link = link,
    Span = span,
    Image = function(image) return raw(graphic(image)) end,
    Code = function(code) return raw(tex.code(code.text)) end,
  }
  return doc
end
