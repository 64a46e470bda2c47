-- mathml.lua: a Pandoc filter for HTML and EPUB.  Turns every formula into MathML at once, and
-- mends what Pandoc's translation gets wrong in browsers:
--
--   * indices and exponents are set without spaces around signs;
--   * fences stretch only where TeX's would (\left, matrices, cases), not all of them;
--   * \mathrm{fl} is upright, and operator names such as "sin" have TeX's spaces around them;
--   * += from \mathrel{+}= is one sign; f' has its prime raised; -1 after a sign is a
--     negative number, not a difference;
--   * aligned equations are aligned, without gaps, and in display style; cases are flush left.
--
-- A displayed formula gets a span around it that scrolls when the screen is too narrow, a long
-- one within a line gets the class "long", for the same reason.

package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local report = require 'report'

local LONG = 45            -- characters of TeX from which on a formula may be wider than a phone

local function any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

-- Upright letters: MathML Core knows no <mstyle mathvariant>, only <mi mathvariant="normal">.
local function upright(content)
  local letters = content:gsub('</?mi>', '')
  if letters:match '^%w+$' then return '<mi mathvariant="normal">' .. letters .. '</mi>' end
  return '<mrow>' .. content:gsub('<mi>', '<mi mathvariant="normal">') .. '</mrow>'
end

-- Operator names: a thin space on either side, but none before a fence or after a sign.
local NO_SPACE_AFTER = {'^<mrow><mo[^>]*form="prefix"', '^<mo[^>]*form="prefix"', '^</mrow>',
  '^</mtd>', '^</semantics>', '^<mo>', '^<annotation'}
local SPACE_BEFORE = {'</mi>$', '</mn>$', '</msub>$', '</msup>$', '</msubsup>$', '</mfrac>$',
  '</mover>$', 'form="postfix">[^<]*</mo></?m?r?o?w?>?$'}

local SCRIPTS = {msub = true, msup = true, msubsup = true, munder = true, mover = true,
  munderover = true}

local function space_names(mathml)
  return (mathml:gsub('()<mo>(%a+)</mo>()', function(first, name, behind)
    local before, after = mathml:sub(1, first - 1), mathml:sub(behind)
    local script = before:match '<(%a+)>$'
    if script and SCRIPTS[script] then
      before = before:sub(1, -#script - 3)
      after = after:match('</' .. script .. '>(.*)$') or after
    end
    local left = any(before, SPACE_BEFORE) and '0.167em' or '0'
    local right = any(after, NO_SPACE_AFTER) and '0' or '0.167em'
    return ('<mo lspace="%s" rspace="%s">%s</mo>'):format(left, right, name)
  end))
end

-- In indices and exponents TeX sets signs without space, and so do we: n−1, not n − 1.
local function tighten_scripts(mathml)
  local stack = {{child = 0}}            -- open elements: children so far, whether in a script
  return (mathml:gsub('<(/?)(%a+)([^>]*)>', function(slash, tag, attributes)
    if slash == '/' then
      stack[#stack] = nil
      return nil
    end
    local parent = stack[#stack]
    parent.child = parent.child + 1
    local script = parent.script or (SCRIPTS[parent.tag] and parent.child > 1)
    if not attributes:match '/$' then
      stack[#stack + 1] = {tag = tag, child = 0, script = script}
    end
    if tag == 'mo' and script and attributes == '' then
      return '<mo lspace="0.05em" rspace="0.05em">'
    end
  end))
end

-- A norm's bars are fences, whatever Pandoc takes them for.
local function close_up_bars(mathml)
  return (mathml:gsub('<mo ([^>]*form="%a+")>([|∥‖]+)</mo>',
    '<mo %1 lspace="0" rspace="0">%2</mo>'))
end

local function align_columns(mathml)
  mathml = mathml:gsub('<mtable><mtr><mtd columnalign="right">',
    '<mtable class="aligned" displaystyle="true"><mtr><mtd columnalign="right">')
  return mathml:gsub('columnalign="(%a+)"', 'style="text-align: %1"')
end

local NEGATIVE = '<mo form="prefix" lspace="0" rspace="0">−</mo>'

local function mend(mathml, tex)
  if not any(tex, {'\\left', 'matrix}', 'cases}'}) then
    mathml = mathml:gsub('stretchy="true"', 'stretchy="false"')
  end
  mathml = mathml:gsub('<mstyle mathvariant="normal">(.-)</mstyle>', upright)
  mathml = mathml:gsub('<mo>([+*/])</mo><mo>=</mo>', '<mo>%1=</mo>')
  mathml = mathml:gsub('<mo>−</mo><mo>=</mo>', '<mo>−=</mo>')
  for _, before in ipairs {'<mo>[^<]+</mo>', '<mo[^>]*form="prefix"[^>]*>[^<]+</mo>'} do
    mathml = mathml:gsub('(' .. before .. ')<mo>−</mo>', '%1' .. NEGATIVE)
  end
  mathml = mathml:gsub('(<mi[^>]*>[^<]*</mi>)<mi>′</mi>', '<msup>%1<mo>′</mo></msup>')
  mathml = mathml:gsub('(<mi[^>]*>[^<]*</mi>)<mi>″</mi>', '<msup>%1<mo>″</mo></msup>')
  return align_columns(close_up_bars(tighten_scripts(space_names(mathml))))
end

local options = pandoc.WriterOptions {html_math_method = 'mathml'}
local seen = {}            -- TeX -> MathML; the same short formulas come again and again

-- Pandoc knows \Big and \Bigr, but not \Bigl.
local function translate(math)
  local tex = math.text:gsub('\\Bigl%f[%A]', '\\Big')
  local formula = pandoc.Plain {pandoc.Math(math.mathtype, tex)}
  local html = pandoc.write(pandoc.Pandoc {formula}, 'html5', options)
  return html:match '^%s*<math' and mend(html:gsub('%s+$', ''), tex)
end

-- The longest line of a formula, by which it can be found in the chapter.
local function longest_line(text)
  local longest = ''
  for line in text:gmatch '[^\n]+' do
    line = line:match '^%s*(.-)%s*$'
    if #line > #longest then longest = line end
  end
  return longest
end

-- Browsers may break a line between a formula and the comma behind it, or the parenthesis before
-- it: a span keeps short formulas together with what touches them.
local function is_short_formula(inline)
  return inline and inline.t == 'RawInline' and inline.text:sub(1, 5) == '<math'
end

local function keep_together(inlines)
  local out, i = pandoc.List {}, 1
  while i <= #inlines do
    local group = pandoc.List {inlines[i]}
    local formula = is_short_formula(inlines[i])
    while inlines[i + 1] and (inlines[i + 1].t == 'Str' and formula
      or is_short_formula(inlines[i + 1]) and inlines[i].t == 'Str') do
      i = i + 1
      group:insert(inlines[i])
      formula = formula or is_short_formula(inlines[i])
    end
    if #group > 1 and #group <= 3 then out:insert(pandoc.Span(group, {class = 'together'}))
    else out:extend(group) end
    i = i + 1
  end
  return out
end

function Pandoc(doc)
  local chapters = report.chapters(doc)
  doc = doc:walk {Math = function(math)
    local key = math.mathtype .. math.text
    seen[key] = seen[key] or translate(math)
    if not seen[key] then
      report.find(chapters, longest_line(math.text),
        'Pandoc cannot turn this formula into MathML')
      return nil
    end
    local class = math.mathtype == 'DisplayMath' and 'dmath'
      or #math.text > LONG and 'imath long' or nil
    return pandoc.RawInline('html',
      class and ('<span class="%s">%s</span>'):format(class, seen[key]) or seen[key])
  end}
  return report.carry(doc:walk {Inlines = keep_together})
end
