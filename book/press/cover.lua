-- cover.lua: a Pandoc writer that draws the cover of the EPUB, as SVG, from the book's metadata.
--
-- The picture below the title is what the book is about: a small network, every unit of a layer
-- joined to every unit of the next.

local WIDTH, HEIGHT = 1200, 1800
local LAYERS = {4, 6, 6, 3}
local INK, PAPER, ACCENT = '#1b3a5c', '#fffefb', '#e79283'

local ESCAPES = {['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;'}
local function escape(text) return (text:gsub('[&<>]', ESCAPES)) end

-- Where unit i of a layer stands.
local function place(layer, i)
  local x = 210 + (layer - 1) * (WIDTH - 420) / (#LAYERS - 1)
  return x, 1230 + (i - (LAYERS[layer] + 1) / 2) * 112
end

-- How strongly two units are joined: no pattern that the eye could follow.
local function strength(layer, i, j) return (layer * 37 + i * 61 + j * 23) % 17 / 16 end

local function network()
  local lines, circles = {}, {}
  for layer = 1, #LAYERS do
    for i = 1, LAYERS[layer] do
      local x, y = place(layer, i)
      circles[#circles + 1] = ('<circle cx="%.0f" cy="%.0f" r="24" fill="%s" stroke="%s" '
        .. 'stroke-width="4"/>'):format(x, y, INK, layer == #LAYERS and ACCENT or PAPER)
      for j = 1, LAYERS[layer + 1] or 0 do
        local x2, y2 = place(layer + 1, j)
        local s = strength(layer, i, j)
        lines[#lines + 1] = ('<line x1="%.0f" y1="%.0f" x2="%.0f" y2="%.0f" stroke="%s" '
          .. 'stroke-width="%.1f" stroke-opacity="%.2f"/>'):format(x, y, x2, y2,
          s > 0.85 and ACCENT or PAPER, 1 + 3 * s, 0.15 + 0.55 * s)
      end
    end
  end
  return table.concat(lines, '\n') .. table.concat(circles, '\n')
end

-- The title in lines of at most 14 characters.
local function broken(text)
  local lines = {''}
  for word in text:gmatch '%S+' do
    local longer = (lines[#lines] .. ' ' .. word):gsub('^ ', '')
    if utf8.len(longer) > 14 and lines[#lines] ~= '' then lines[#lines + 1] = word
    else lines[#lines] = longer end
  end
  return lines
end

local function text_line(y, size, style, colour, text)
  return ('<text x="110" y="%d" font-size="%d" font-style="%s" fill="%s">%s</text>')
    :format(y, size, style, colour, escape(text))
end

function Doc(_, meta)
  local out = {('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
    .. 'font-family="TeX Gyre Pagella, Palatino, serif">'):format(WIDTH, HEIGHT),
    ('<rect width="100%%" height="100%%" fill="%s"/>'):format(INK)}
  local y = 150
  for _, line in ipairs(broken(meta.title or '')) do
    y = y + 150
    out[#out + 1] = text_line(y, 140, 'italic', PAPER, line)
  end
  if meta.subtitle then out[#out + 1] = text_line(y + 110, 58, 'normal', ACCENT, meta.subtitle) end
  out[#out + 1] = network()
  local author = meta.author
  if type(author) == 'table' then author = table.concat(author, ', ') end
  if author then out[#out + 1] = text_line(HEIGHT - 60, 44, 'normal', PAPER, author) end
  out[#out + 1] = '</svg>\n'
  return table.concat(out, '\n')
end

-- A custom writer must say how each element is written.  The cover shows words alone.
function Str(text) return text end
function Space() return ' ' end
SoftBreak = Space
setmetatable(_G, {__index = function() return function() return '' end end})
