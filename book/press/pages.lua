-- pages.lua: the last Pandoc filter of the HTML and EPUB editions.  A book is one document; this
-- cuts it into pages at its chapters and appendices, and makes each link "#id" point into the
-- page where the id stands.
--
-- For HTML it writes build/html/NN-label.html for chapter NN of label sec:label, label.html for
-- an appendix, index.html with the table of contents; metadata "out" names the directory and
-- "page" the template.  For EPUB, Pandoc itself cuts the book, into ch001.xhtml and so on; we
-- only set the links.

local stringify = pandoc.utils.stringify
local EPUB = FORMAT:match 'epub' ~= nil

-- Cutting ------------------------------------------------------------------------------------

local function is_numbered(header)
  return header.level == 1 and not header.classes:includes 'unnumbered'
end

-- A heading as it stands in tables of contents: no notes, links, or ids.
local function label_of(header)
  return pandoc.Plain(header.content):walk {
    Note = function() return {} end,
    Link = function(link) return link.content end,
    Span = function(span)
      span.identifier = ''
      return span
    end,
  }.content
end

local function new_page(header, pages)
  local page = {title = label_of(header), id = header.identifier, blocks = pandoc.List {},
    sections = {}, numbered = is_numbered(header)}
  local label = header.identifier:gsub('^%a+:', ''):gsub('[^%w-]+', '-')
  local number = tonumber(header.attributes.number)
  if EPUB then page.file = ('ch%03d.xhtml'):format(#pages + 1)
  elseif number then page.file = ('%02d-%s.html'):format(number, label)
  else page.file = label .. '.html' end
  return page
end

local function cut(blocks)
  local pages = {}
  local page
  for _, block in ipairs(blocks) do
    if block.t == 'Header' and block.level == 1 then
      page = new_page(block, pages)
      pages[#pages + 1] = page
    elseif block.t == 'Header' and block.level == 2 and page then
      table.insert(page.sections, {id = block.identifier, title = label_of(block)})
    end
    if page then page.blocks:insert(block) end
  end
  return pages
end

-- Links --------------------------------------------------------------------------------------

-- Which page has which id?
local function locate(pages)
  local home = {}
  for _, page in ipairs(pages) do
    local function note(element)
      local id = element.attr and element.attr.identifier or ''
      if id ~= '' then home[id] = page.file end
    end
    local function note_raw(raw)
      for id in raw.text:gmatch ' id="([^"]+)"' do home[id] = page.file end
    end
    pandoc.Div(page.blocks):walk {Header = note, Div = note, CodeBlock = note, Table = note,
      Span = note, Link = note, Image = note, Code = note,
      RawBlock = note_raw, RawInline = note_raw}
  end
  return home
end

-- Some old DOIs have characters that must not stand in an address as they are.
local function encoded(address)
  return (address:gsub('[%s<>"{}|\\^`]', function(c) return ('%%%02X'):format(c:byte()) end))
end

-- The page's blocks, their links set.  A link whose id is nowhere stays as it is: links.py,
-- which looks at the finished pages, will refuse it.
local function set_links(page, home)
  local function address(target)
    local file = home[target:match '^#(.+)$' or '']
    return file and file ~= page.file and file .. target or target
  end
  local function raw(element)
    element.text = element.text:gsub('href="(#[^"]+)"', function(target)
      return 'href="' .. address(target) .. '"'
    end)
    return element
  end
  return pandoc.Div(page.blocks):walk {
    Link = function(link)
      link.target = encoded(address(link.target))
      return link
    end,
    RawBlock = raw, RawInline = raw,
  }.content
end

-- The width of a picture in rem.  It was drawn for a page whose type is 10.5 points high; on the
-- screen it is to stand in the same proportion to the text.
local function natural_width(file)
  local handle = io.open(file)
  local points = handle and handle:read(1000):match '<svg[^>]- width="([%d.]+)'
  if handle then handle:close() end
  return points and ('%.1frem'):format(points / 10.5)
end

-- A figure's source, figures/NAME, has no suffix: the web takes the SVG.  HTML has the pictures
-- in a directory beside its pages, Pandoc fetches them for EPUB from where the build put them.
local function set_pictures(blocks)
  return pandoc.Div(blocks):walk {Image = function(image)
    local name = pandoc.path.filename(image.src)
    if not name:match '%.%a+$' then name = name .. '.svg' end
    local built = 'build/figures/' .. name
    image.src = EPUB and built or 'figures/' .. name
    if not image.attributes.width then image.attributes.width = natural_width(built) end
    return image
  end}.content
end

-- Writing HTML -------------------------------------------------------------------------------

local function read_file(path)
  local handle = assert(io.open(path))
  local text = handle:read 'a'
  handle:close()
  return text
end

local function write_file(path, text)
  local handle = assert(io.open(path, 'w'))
  handle:write(text)
  handle:close()
end

local function html(inlines)
  return (pandoc.write(pandoc.Pandoc {pandoc.Plain(inlines)}, 'html5'))
end

local function plain_title(page) return stringify(page.title):gsub('%s+', ' ') end

local function neighbour(page)
  return page and {link = page.file, label = pandoc.MetaInlines(page.title),
    title = plain_title(page)}
end

local function contents_entry(page)
  local sections = {}
  for _, section in ipairs(page.sections) do
    sections[#sections + 1] = ('<li><a href="%s#%s">%s</a></li>')
      :format(page.file, section.id, html(section.title))
  end
  local list = page.numbered and #sections > 0
    and '<ol>\n' .. table.concat(sections, '\n') .. '\n</ol>' or ''
  return ('<li%s><a href="%s">%s</a>%s</li>')
    :format(page.numbered and '' or ' class="back"', page.file, html(page.title), list)
end

local function title_page(meta, pages)
  local out = {}
  local function paragraph(class, inlines)
    if inlines then out[#out + 1] = ('<p class="%s">%s</p>'):format(class, html(inlines)) end
  end
  local function inlines(field) return meta[field] and pandoc.Inlines(stringify(meta[field])) end
  out[#out + 1] = '<h1>' .. html(inlines 'title') .. '</h1>'
  paragraph('subtitle', inlines 'subtitle')
  paragraph('author', inlines 'author')
  out[#out + 1] = '<div class="about">'
  paragraph('description', inlines 'description')
  paragraph('small', inlines 'rights')
  out[#out + 1] = '</div>\n<h2 id="contents">Contents</h2>\n<ul class="contents">'
  for _, page in ipairs(pages) do out[#out + 1] = contents_entry(page) end
  out[#out + 1] = '</ul>'
  return {file = 'index.html', home = true, sections = {}, title = pandoc.Inlines 'Contents',
    blocks = pandoc.List {pandoc.RawBlock('html', table.concat(out, '\n'))}}
end

local function write_page(page, blocks, context)
  local sections = pandoc.List {}
  for _, section in ipairs(page.sections) do
    sections:insert {link = '#' .. section.id, label = pandoc.MetaInlines(section.title)}
  end
  local meta = {lang = context.lang, book = context.book, author = context.author,
    description = context.description, title = plain_title(page),
    heading = pandoc.MetaInlines(page.title), home = page.home, sections = sections,
    previous = neighbour(page.previous), next = neighbour(page.next)}
  local settings = pandoc.WriterOptions {template = context.template, section_divs = true,
    email_obfuscation = 'none'}
  write_file(context.directory .. '/' .. page.file,
    pandoc.write(pandoc.Pandoc(blocks, meta), 'html5', settings))
end

local function write_pages(doc, pages, home)
  local meta = doc.meta
  local function text(field, default) return meta[field] and stringify(meta[field]) or default end
  local context = {directory = text 'out', lang = text('lang', 'en-GB'), book = text 'title',
    author = text('author', ''), description = text('description', text('subtitle', '')),
    template = pandoc.template.compile(read_file(text 'page'))}
  table.insert(pages, 1, title_page(meta, pages))
  for i, page in ipairs(pages) do
    page.previous, page.next = pages[i - 1], pages[i + 1]
  end
  for _, page in ipairs(pages) do
    write_page(page, set_pictures(set_links(page, home)), context)
  end
end

function Pandoc(doc)
  local pages = cut(doc.blocks)
  local home = locate(pages)
  if not EPUB then
    write_pages(doc, pages, home)
    return pandoc.Pandoc {}
  end
  doc.blocks = pandoc.List {}
  for _, page in ipairs(pages) do doc.blocks:extend(set_pictures(set_links(page, home))) end
  return doc
end
