-- latexwriter.lua: helpers of the PDF edition.  A module, used by latex.lua and
-- chunks-latex.lua.

local M = {}

local ESCAPES = {['\\'] = '\\textbackslash{}', ['{'] = '\\{', ['}'] = '\\}', ['$'] = '\\$',
  ['&'] = '\\&', ['#'] = '\\#', ['^'] = '\\char94{}', ['_'] = '\\_', ['~'] = '\\char126{}',
  ['%'] = '\\%', ['"'] = '\\char34{}', ["'"] = '\\char39{}', ['`'] = '\\char96{}',
  ['-'] = '-{}', ['<'] = '<{}', ['>'] = '>{}', [',']  = ',{}', ['!'] = '!{}', ['?'] = '?{}'}

-- Text in typewriter type.
function M.escape(text)
  return (text:gsub('[\\{}$&#^_~%%"\'`<>,!?-]', ESCAPES))
end

-- The same for a line of code, whose spaces are glyphs, so that they can be copied.
function M.escape_line(text)
  return (M.escape(text):gsub(' ', '\\nwsp{}'))
end

function M.raw(text) return pandoc.RawInline('latex', text) end
function M.raw_block(text) return pandoc.RawBlock('latex', text) end

-- Quoted code in the text.  A long name may be broken behind _ or -> and the like.
function M.code(text)
  local tex = M.escape(text):gsub(' ', '\\ ')
  if #text > 8 then
    tex = tex:gsub('\\_', '\\_\\nwbreak{}'):gsub('([./,])', '%1\\nwbreak{}')
      :gsub('%->{}', '->{}\\nwbreak{}')
  end
  return '\\nwq{' .. tex .. '}'
end

-- Some inlines as LaTeX.
function M.latex(inlines)
  local doc = pandoc.Pandoc {pandoc.Plain(inlines)}
  doc = doc:walk {
    Code = function(code)
      if code.classes:includes 'nwfile' then
        return M.raw('\\nwfile{' .. M.escape(code.text) .. '}')
      end
      return M.raw('\\nwq{' .. M.escape(code.text):gsub(' ', '\\ ') .. '}')
    end}
  return (pandoc.write(doc, 'latex'):gsub('%s+', ' '):gsub(' $', ''))
end

-- A target that links can lead to.
function M.target(label) return '\\nwtarget{' .. label .. '}' end

return M
