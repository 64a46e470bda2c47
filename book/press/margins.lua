-- margins.lua: places the notes in the margin, inside LuaLaTeX.
--
-- Every note, beside a chunk or beside the text, is a box of no size at its place in the page, so
-- that it can neither move lines nor part a chunk from its head.  At each run the .aux file
-- gets a line for each note: its page, where it stands (x, y), how high it is.  The next run reads these
-- lines and knows all notes of a page: a note that would overlap the one above it is moved down, and if
-- the last ones would leave the page at its foot they are all moved up.
-- Lengths are in TeX's scaled points; y grows upwards.

local margins = {}

local notes = {}          -- number -> {page, x, y, height, top}
local pages = {}          -- page -> list of its notes
local page                -- the page's measures; see margins.setup
local placed = false

-- measures: odd_x and even_x, the left edge of the margin; bottom and top; gap between notes
function margins.setup(measures) page = measures end

-- One line of the .aux file.
function margins.read(number, page_number, x, y, height)
  local note = {page = page_number, x = x, y = y, height = height}
  notes[number] = note
  pages[page_number] = pages[page_number] or {}
  table.insert(pages[page_number], note)
end

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

local function place_all()
  for _, list in pairs(pages) do
    table.sort(list, function(a, b) return a.y > b.y end)
    stack(list)
    lift(list)
  end
  placed = true
end

-- Where does the note go?  Sets three registers: \nwdx, \nwdy, the shift from its place in
-- the text, and \nwside, 1 for the right margin, 0 for the left, -1 if it is not known yet.
function margins.place(number)
  if not placed then place_all() end
  local note = notes[number]
  if not note then
    tex.count['nwsidecount'] = -1
    return
  end
  local right = note.page % 2 == 1
  tex.count['nwsidecount'] = right and 1 or 0
  tex.dimen['nwdx'] = (right and page.odd_x or page.even_x) - note.x
  tex.dimen['nwdy'] = note.top - note.y
end

return margins
