-- ledger.lua: a Pandoc filter, common to all editions; runs behind exercises.lua.  Adds the
-- appendix "Ledger" (Header #ledger .appendix): every measured number of the text, by the
-- experiment that it comes from, with its command, tolerance and seconds.
--
-- results.lua has left each number as Span .measured with attributes file, key, column and value
-- (as it stands in the file); here the Span goes and its content stays.  The experiments stand in
-- figures/experiments.tsv, their seconds in figures/ledger.tsv (metadata "experiments" and
-- "ledger"); the experiment NAME writes NAME.tsv and NAME-*.tsv.  Other files of results must say
-- themselves what writes them, in a first line "# command: make speed; ...": else a number from
-- there is refused.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report, chunk = require 'report', require 'chunk'

local directory = 'figures/results'
local experiments = pandoc.List {}      -- {name, command, tolerance, quick, seconds, machine, ...}
local by_name = {}

-- The rows of a file of tab-separated values below its first line; lines with # are skipped.
local function rows_of(name)
  local handle, rows = io.open(name), {}
  if not handle then return rows end
  for line in handle:lines() do
    if line ~= '' and line:sub(1, 1) ~= '#' then
      local fields = {}
      for field in (line .. '\t'):gmatch '([^\t]*)\t' do fields[#fields + 1] = field end
      rows[#rows + 1] = fields
    end
  end
  handle:close()
  table.remove(rows, 1)
  return rows
end

local function add_experiment(name, command, tolerance, quick)
  by_name[name] = {name = name, command = command, tolerance = tolerance, quick = quick,
    places = pandoc.List {}, at = {}}
  experiments:insert(by_name[name])
  return by_name[name]
end

local function read_experiments(table_file, ledger_file)
  for _, f in ipairs(rows_of(table_file)) do add_experiment(f[1], f[2], f[3], f[4] == 'yes') end
  for _, f in ipairs(rows_of(ledger_file)) do
    local e = by_name[f[1]]
    if e then e.seconds, e.machine = f[2], f[3] end
  end
end

-- The experiment that writes figures/results/FILE.tsv: the longest name that FILE begins with.
local function writer_of(file)
  local name = file
  while name and not by_name[name] do name = name:match '^(.*)%-[^-]*$' end
  if name then return by_name[name] end
  local handle = io.open(directory .. '/' .. file .. '.tsv')
  local command = handle and handle:read 'l':match '^# command: ([^;]+)'
  if handle then handle:close() end
  return command and add_experiment(file, command, 'any', false)
end

-- What the text shows ------------------------------------------------------------------------

local chapter, section          -- headers that we are below

local function place_of(e, id, number)
  if not e.at[id] then
    e.at[id] = {id = id, number = number, values = pandoc.List {}, seen = {}}
    e.places:insert(e.at[id])
    e.chapter = e.chapter or chapter
  end
  return e.at[id]
end

local function here(e) return place_of(e, section.identifier, section.attributes.number) end

local function measured(span)
  if not span.classes:includes 'measured' then return nil end
  local a = span.attributes
  local e = writer_of(a.file)
  if e and section then
    local place, name = here(e), a.key .. ':' .. a.column
    if a.file ~= e.name then name = a.file:sub(#e.name + 2) .. ':' .. name end
    if not place.seen[name] then place.values:insert {name = name, value = a.value} end
    place.seen[name] = true
  elseif #experiments > 0 then
    report.at(a.at, 'no experiment writes %s.tsv', a.file)
  end
  return span.content
end

-- A table counts as a whole, and so does a picture that is drawn from results.
local function count_table(div)
  local counts, order = {}, pandoc.List {}
  local function note(span)
    if not span.classes:includes 'measured' then return nil end
    local e = writer_of(span.attributes.file)
    if not e then return measured(span) end
    if not counts[e] then order:insert(e) end
    counts[e] = (counts[e] or 0) + 1
    return span.content
  end
  local content = pandoc.Div(div.content):walk {Span = note}.content
  for _, e in ipairs(order) do
    here(e).values:insert {id = div.identifier, number = 'Table\u{a0}' .. div.attributes.number,
      count = counts[e]}
  end
  div.content = content
  return div, false
end

local function note_picture(div)
  local image = div.content[1].content[1]
  local handle = io.open((image.src or '') .. '.gp')
  if not handle then return end
  for file in handle:read 'a':gmatch 'results/([%w_-]+)' do
    local e = writer_of((file:gsub('%-$', '')))
    if e and not e.at[div.identifier] then
      e.at[div.identifier] = true
      here(e).values:insert {id = div.identifier, number = 'Figure\u{a0}' .. div.attributes.number}
    end
  end
  handle:close()
end

local function collect(doc)
  return doc:walk {traverse = 'topdown', Span = measured,
    Header = function(h)
      if h.level == 1 then chapter = h end
      if h.attributes.number then section = h end
    end,
    Div = function(div)
      if div.classes:includes 'table' then return count_table(div) end
      if div.classes:includes 'figure' then note_picture(div) end
    end}
end

-- The appendix -------------------------------------------------------------------------------

-- A long command goes on in the next line.
local function command_block(text)
  local line, tokens = '', chunk.collector()
  for word in text:gmatch '%S+' do
    if line ~= '' and #line + 1 + #word > 74 then
      tokens.add('tx', line .. '\n')
      line = '   '
    end
    line = line == '' and word or line .. ' ' .. word
  end
  tokens.add('tx', line .. '\n')
  return pandoc.Div({tokens.block()}, {class = 'nwplain command', lang = 'sh'})
end

local function tolerance(e)
  local usual, special = e.tolerance:match '^(%S+)%s*(.*)$'
  local names = {['0'] = 'the same text', any = 'any, as it depends on the machine'}
  local text = 'tolerance: ' .. (names[usual] or (usual:gsub('%%', '\u{a0}%%')))
  for column, limit in special:gmatch '(%S+)=(%S+)' do
    text = text .. '; ' .. column .. ': ' .. (names[limit] or (limit:gsub('%%', '\u{a0}%%')))
  end
  return text
end

local function words(list, text)
  for word in text:gmatch '%S+' do list:extend {pandoc.Str(word), pandoc.Space()} end
end

local function heading(e)
  local line = pandoc.List {pandoc.Strong {pandoc.Str(e.name)}, pandoc.Space()}
  words(line, (e.quick and '(quick)' or '') .. ' ' .. tolerance(e) .. '; '
    .. (e.seconds and e.seconds .. '\u{a0}s.' or 'seconds not recorded.'))
  return pandoc.Para(line)
end

local function values(e)
  local line = pandoc.List {}
  for _, place in ipairs(e.places) do
    local word = place.number:match '%.' and 'Section' or tonumber(place.number) and 'Chapter'
      or 'Appendix'
    line:insert(pandoc.Link(word .. '\u{a0}' .. place.number, '#' .. place.id, '', {class = 'ref'}))
    words(line, ':')
    for i, v in ipairs(place.values) do
      if v.id then
        line:insert(pandoc.Link(v.number, '#' .. v.id, '', {class = 'ref'}))
        if v.count then words(line, '\u{a0}(' .. v.count .. '\u{a0}values)') line:remove() end
      else
        line:extend {pandoc.Code(v.name), pandoc.Space(),
          pandoc.Str((v.value:gsub('^%-(%d)', '\u{2212}%1')))}
      end
      line:extend {pandoc.Str(i < #place.values and ',' or '.'), pandoc.Space()}
    end
  end
  return pandoc.Div({pandoc.Para(line)}, {class = 'ledger'})
end

local INTRODUCTION = [[
The measured numbers of this book, by the experiments that they come from. Each is named by the
row and the column in which it stands in the experiment's file, `figures/results/NAME.tsv`; the
value is that of the file, which the text may round. Below the name stands the command, run in the
project's folder (long ones are broken here). `make experiments` runs all of them again, and
writes the files and the seconds; `make ledger` runs the quick ones, and compares every
value with its file, within the tolerance: of the text, of so much, or of so many percent.
]]

local function machines()
  local seen, list = {}, pandoc.List {}
  for _, e in ipairs(experiments) do
    if e.machine and not seen[e.machine] then
      seen[e.machine] = true
      list:insert(e.machine)
    end
  end
  return #list > 0 and 'The seconds were taken on: ' .. table.concat(list, '; ') .. '.' or ''
end

local function appendix(number)
  local blocks = pandoc.List {pandoc.Header(1, 'Ledger',
    pandoc.Attr('ledger', {'appendix'}, {number = number}))}
  blocks:extend(pandoc.read(INTRODUCTION .. machines(), 'markdown').blocks)
  local shown = {}
  local function show(e)
    shown[e] = true
    blocks:extend {heading(e), command_block(e.command)}
    if #e.places > 0 then blocks:insert(values(e)) end
  end
  local headers, of = pandoc.List {}, {}
  for _, e in ipairs(experiments) do
    local h = e.chapter
    if h and not of[h.identifier] then
      of[h.identifier] = pandoc.List {}
      headers:insert(h)
    end
    if h then of[h.identifier]:insert(e) end
  end
  for _, h in ipairs(headers) do
    local title = pandoc.List {pandoc.Str('Chapter\u{a0}' .. h.attributes.number .. ':'),
      pandoc.Space()}
    title:extend(h.content)
    blocks:insert(pandoc.Header(2, title,
      pandoc.Attr('ledger-' .. h.attributes.number, {'unnumbered'})))
    for _, e in ipairs(of[h.identifier]) do show(e) end
  end
  local rest = experiments:filter(function(e) return not shown[e] end)
  if #rest > 0 then
    blocks:insert(pandoc.Header(2, 'Not printed', pandoc.Attr('ledger-rest', {'unnumbered'})))
    for _, e in ipairs(rest) do show(e) end
  end
  return blocks
end

function Pandoc(doc)
  local function file(key, default)
    return doc.meta[key] and pandoc.utils.stringify(doc.meta[key]) or default
  end
  directory = file('results', directory)
  read_experiments(file('experiments', 'figures/experiments.tsv'),
    file('ledger', 'figures/ledger.tsv'))
  doc = collect(doc)
  local used = experiments:filter(function(e) return #e.places > 0 end)
  if #used > 0 and not doc.meta.draft then
    local has_appendix = doc.blocks:find_if(function(b)
      return b.t == 'Header' and b.classes:includes 'appendix' end)
    doc.blocks:extend(appendix(has_appendix and 'B' or 'A'))
  end
  return report.carry(doc)
end
