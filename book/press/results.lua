-- results.lua: a Pandoc filter, common to all editions.  Puts measured numbers into the text.
--
--   []{.result of="FILE:KEY:COLUMN" fmt="%.3f" scale="100"}
--   ::: {.results of="FILE" columns="a,b" heads="A,B" fmt="%s,%.3f" rows="k1,k2" caption="…"
--        #tbl:x}
--
-- FILE.tsv stands in the directory given as metadata "results" (figures/results): lines that
-- begin with # say how it was made, then come the names of the columns, then the rows; the
-- first column is the key.  Each number becomes a Span .measured, which says where it comes from;
-- ledger.lua reads and removes it.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report = require 'report'

local directory = 'figures/results'
local files = {}

local function split(line, separator)
  local fields = {}
  for field in (line .. separator):gmatch('([^' .. separator .. ']*)' .. separator) do
    fields[#fields + 1] = field
  end
  return fields
end

-- The file as {columns = {...}, keys = {...}, rows = {key = {column = text}}}, or nil.
local function load(name)
  if files[name] ~= nil then return files[name] end
  local handle = io.open(directory .. '/' .. name .. '.tsv')
  if not handle then
    files[name] = false
    return false
  end
  local data = {keys = {}, rows = {}}
  for line in handle:lines() do
    if line == '' or line:sub(1, 1) == '#' then goto continue end
    local fields = split(line, '\t')
    if not data.columns then data.columns = fields
    else
      local row = {}
      for i, column in ipairs(data.columns) do row[column] = fields[i] end
      data.rows[fields[1]] = row
      data.keys[#data.keys + 1] = fields[1]
    end
    ::continue::
  end
  handle:close()
  files[name] = data
  return data
end

-- A number in prose: a real minus sign, and powers of ten written out.
local function typeset(text)
  local mantissa, exponent = text:match '^(-?[%d.]+)e([+-]%d+)$'
  if mantissa then
    local power = ('10^{%d}'):format(tonumber(exponent))
    return pandoc.Math('InlineMath', mantissa .. ' \\cdot ' .. power)
  end
  return pandoc.Str((text:gsub('^-(%d)', '\u{2212}%1')))
end

-- The text of one value, and as it stands in the file; nil and the reason if there is none.
local function value(file, key, column, format, scale)
  local data = load(file)
  if not data then return nil, ('there is no file %s/%s.tsv'):format(directory, file) end
  local row = data.rows[key]
  if not row then return nil, ('%s.tsv has no row "%s"'):format(file, key) end
  local text = row[column]
  if not text then return nil, ('%s.tsv has no column "%s"'):format(file, column) end
  format = format or '%s'
  if not (format:match '%%[-+ #0]*%d*%.?%d*[deEfgGi]' or scale) then
    return (format:gsub('%%s', function() return text end)), text
  end
  local number = tonumber(text)
  if not number or number ~= number then
    return nil, ('%s:%s:%s is "%s", not a number'):format(file, key, column, text)
  end
  number = number * (tonumber(scale or '1') or 1)
  if format:match '%%[-+ #0]*%d*[di]' then number = math.floor(number + 0.5) end
  local good, result = pcall(string.format, format, number)
  if not good then return nil, ('the format "%s" is not understood'):format(format) end
  return result, text
end

local function measured(text, file, key, column, in_file, place)
  return pandoc.Span({typeset(text)}, pandoc.Attr('', {'measured'},
    {file = file, key = key, column = column, value = in_file, at = place or ''}))
end

local function one_result(span)
  if not span.classes:includes 'result' then return nil end
  local a = span.attributes
  local file, key, column = (a.of or ''):match '^([^:]+):(.*):([^:]+)$'
  if not file then
    report.at(a.at, 'a result is named FILE:KEY:COLUMN, not "%s"', a.of or '')
    return pandoc.Str '?'
  end
  local text, in_file = value(file, key, column, a.fmt, a.scale)
  if not text then
    report.at(a.at, '%s', in_file)
    return pandoc.Str '?'
  end
  return measured(text, file, key, column, in_file, a.at)
end

local function cell(inline) return {pandoc.Plain {inline}} end

local function head_cell(markdown)
  return {pandoc.Plain(pandoc.utils.blocks_to_inlines(pandoc.read(markdown, 'markdown').blocks))}
end

-- A whole table.
local function result_table(div)
  if not div.classes:includes 'results' then return nil end
  local a = div.attributes
  local data = load(a.of or '')
  if not data then
    report.at(a.at, 'there is no file %s/%s.tsv', directory, a.of or '')
    return {}
  end
  local columns = split(a.columns or table.concat(data.columns, ','), ',')
  local heads = split(a.heads or table.concat(columns, ','), ',')
  local formats = split(a.fmt or '', ',')
  local rows, aligns, widths = {}, {}, {}
  for i = 1, #columns do
    aligns[i] = i == 1 and pandoc.AlignLeft or pandoc.AlignRight
    widths[i] = 0
    heads[i] = head_cell(heads[i] or columns[i])
  end
  for _, key in ipairs(a.rows and split(a.rows, ',') or data.keys) do
    local row = {}
    for i, column in ipairs(columns) do
      local text, in_file = value(a.of, key, column, formats[i] ~= '' and formats[i] or nil)
      if not text then report.at(a.at, '%s', in_file) end
      row[i] = cell(text and measured(text, a.of, key, column, in_file, a.at) or pandoc.Str '?')
    end
    rows[#rows + 1] = row
  end
  local caption = pandoc.utils.blocks_to_inlines(pandoc.read(a.caption or '', 'markdown').blocks)
  local simple = pandoc.SimpleTable(caption, aligns, widths, heads, rows)
  local whole = pandoc.utils.from_simple_table(simple)
  whole.attr = pandoc.Attr(div.identifier)
  return whole
end

function Pandoc(doc)
  if doc.meta.results then directory = pandoc.utils.stringify(doc.meta.results) end
  doc = doc:walk {Div = result_table}
  doc = doc:walk {Span = one_result}
  return report.carry(doc)
end
