-- margins.lua: places the notes in the margin, inside LuaLaTeX.
--
-- Every note, beside a chunk or beside the text, is a box of no size at its place in the page, so
-- that it can neither move lines nor part a chunk from its head.  At each run the .aux file
-- gets a line for each note: its page, where it stands (x, y), how high it is.  The next run
-- reads these lines and knows all notes of a page: a note that would overlap the one above it is
-- moved down, and if the last ones would leave the page at its foot they are all moved up.
-- Lengths are in TeX's scaled points; y grows upwards.
--
-- When a line of text is added, all notes below it stand elsewhere, but need not be shifted by more
-- or less than before.  So at the end of a run we compute the shifts afresh, and ask for another run
-- only if one of them has changed.

local margins = {}

local page                -- the page's measures; see margins.setup
local before, after       -- the notes of the last run, and of this one

-- The notes of a run: each a table {page, x, y, height, top}.
local function collection() return {notes = {}, pages = {}, placed = false} end
before, after = collection(), collection()

-- measures: odd_x and even_x, the left edge of the margin; bottom and top; gap between notes
function margins.setup(measures) page = measures end

local function add(run, number, page_number, x, y, height)
  local note = {page = page_number, x = x, y = y, height = height}
  run.notes[number] = note
  run.pages[page_number] = run.pages[page_number] or {}
  table.insert(run.pages[page_number], note)
end

-- One line of the .aux file: at the beginning of the run, and at its end.
function margins.read(...) add(before, ...) end
function margins.compare(...) add(after, ...) end

-- Each note at its own line if it can, but below the one before it.
local function stack(list)
  local limit = math.huge
  for _, note in ipairs(list) do
    note.top = math.min(note.y, limit)
    limit = note.top - note.height - page.gap
  end
end

-- Move the last notes up as far as the foot of the page demands.
local function lift(list)
  local floor = page.bottom
  for i = #list, 1, -1 do
    local note = list[i]
    if note.top - note.height >= floor then return end
    note.top = floor + note.height
    floor = note.top + page.gap
  end
  if list[1].top > page.top then
    texio.write_nl('log', 'Margins: the notes of page ' .. list[1].page .. ' do not fit')
  end
end

local function place_all(run)
  if run.placed then return end
  for _, list in pairs(run.pages) do
    table.sort(list, function(a, b) return a.y > b.y end)
    stack(list)
    lift(list)
  end
  run.placed = true
end

-- How far the note is to be shifted from its place in the text, and to which side.
local function shift(run, number)
  place_all(run)
  local note = run.notes[number]
  if not note then return nil end
  local right = note.page % 2 == 1
  return (right and page.odd_x or page.even_x) - note.x, note.top - note.y, right
end

-- Sets three registers for a note: \nwdx, \nwdy, and \nwsidecount: 1 for the right margin, 0 for
-- the left, -1 if its place is not known yet.
function margins.place(number)
  local dx, dy, right = shift(before, number)
  tex.count['nwsidecount'] = not dx and -1 or right and 1 or 0
  tex.dimen['nwdx'] = dx or 0
  tex.dimen['nwdy'] = dy or 0
end

-- At the end of the run: does every note stand where it should, to a quarter of a point?
function margins.verdict()
  local moved = 0
  for number in pairs(after.notes) do
    local dx, dy = shift(before, number)
    local new_dx, new_dy = shift(after, number)
    if not dx or math.abs(dx - new_dx) + math.abs(dy - new_dy) > 16384 then moved = moved + 1 end
  end
  if moved > 0 then texio.write_nl('log', 'Rerun: ' .. moved .. ' notes in the margin move') end
end

return margins
