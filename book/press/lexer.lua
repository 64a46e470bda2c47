-- lexer.lua: cuts code into tokens, for syntax colours and links.  A module.
--
--   lexer.tokens(text, language, emit)     calls emit(kind, text) for each token
--   lexer.language(file name)              the language of a file, by its suffix
--
-- Kinds: kw keyword, ty type, pp preprocessor or command, co comment, st string, nu number,
-- id identifier, tx anything else (operators and white space), use the use of a chunk.
-- A use is handed to us as byte 1, its number, byte 2, and comes out as kind "use".

local lexer = {}

local function set(words)
  local t = {}
  for word in words:gmatch '%S+' do t[word] = true end
  return t
end

local SHELL = set [[if then else elif fi for in do done while until case esac function return
  exit export local set cd echo]]

-- For each language: how a line comment begins, whether there are /* */ comments, """ strings,
-- # directives; the quotes that delimit strings; keywords and types.
local LANGUAGES = {
  c = {comment = '//', block_comment = true, directive = true, quotes = '"\'',
    keywords = set [[auto break case const continue default do else enum extern for goto if inline
      register restrict return sizeof static struct switch typedef union volatile while typeof
      _Generic _Static_assert _Atomic _Thread_local _Alignas _Noreturn __attribute__ asm]],
    types = set [[void char short int long float double signed unsigned bool size_t ptrdiff_t
      FILE int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t va_list jmp_buf
      intptr_t uintptr_t clock_t time_t ssize_t]]},
  python = {comment = '#', triple = true, quotes = '"\'',
    keywords = set [[and as assert break class continue def del elif else except finally for from
      global if import in is lambda nonlocal not or pass raise return try while with yield None
      True False]],
    types = set ''},
  sh = {comment = '#', quotes = '"\'', keywords = SHELL, types = set ''},
  make = {comment = '#', quotes = '"', types = set '',
    keywords = set 'include ifdef ifndef ifeq ifneq else endif define endef export override'},
  awk = {comment = '#', quotes = '"', types = set 'BEGIN END NF NR FS OFS ORS',
    keywords = set [[function if else for in do while next exit return print printf getline
      delete]]},
  lua = {comment = '--', quotes = '"\'', types = set '',
    keywords = set [[and break do else elseif end false for function goto if in local nil not or
      repeat return then true until while]]},
  gnuplot = {comment = '#', quotes = '"\'', types = set '',
    keywords = set [[set unset plot splot replot load with lines points linespoints using title
      notitle every smooth fit do for if else]]},
  dot = {comment = '//', block_comment = true, quotes = '"', types = set '',
    keywords = set 'digraph graph subgraph node edge strict'},
  tex = {comment = '%', quotes = '', commands = true, keywords = set '', types = set ''},
  text = {quotes = '', keywords = set '', types = set '', plain = true},
}

local SUFFIXES = {c = 'c', h = 'c', py = 'python', sh = 'sh', mk = 'make', awk = 'awk',
  lua = 'lua', gp = 'gnuplot', dot = 'dot', tex = 'tex', tsv = 'text', txt = 'text'}
local ALIASES = {bash = 'sh', shell = 'sh', makefile = 'make', latex = 'tex', C = 'c',
  gp = 'gnuplot', py = 'python', console = 'text', noweb = 'text'}

function lexer.language(name)
  if name == 'Makefile' then return 'make' end
  return SUFFIXES[name:match '%.(%w+)$' or ''] or 'text'
end

function lexer.known(language)
  language = ALIASES[language] or language
  return LANGUAGES[language] and language or nil
end

-- The string that begins at position i; it ends at its line's end at the latest.
local function string_at(text, i)
  local quote = text:sub(i, i)
  local j = i + 1
  while j <= #text and text:sub(j, j) ~= quote and text:sub(j, j) ~= '\n' do
    j = j + (text:sub(j, j) == '\\' and 2 or 1)
  end
  if text:sub(j, j) == '\n' then j = j - 1 end
  return text:sub(i, j)
end

local function delimited_at(text, i, close)
  local _, last = text:find(close, i + #close, true)
  return text:sub(i, last or #text)
end

local function number_at(text, i)
  return text:match('^0[xX][%x.]+[pP]?[+-]?%w*', i) or text:match('^[%d.]+[eE][+-]?%w+', i)
    or text:match('^[%w.]+', i)
end

-- Kind and text of the token that begins at position i.
local function token_at(text, i, lang, line_start)
  local c = text:sub(i, i)
  local two, three = text:sub(i, i + 1), text:sub(i, i + 2)
  if c == '\1' then return 'use', text:match('^\1%d+\2', i) end
  if lang.plain then return 'tx', text:match('^[^\1\n]+', i) or c end
  if c:match '%s' then return 'tx', text:match('^%s+', i) end
  if lang.comment and text:sub(i, i + #lang.comment - 1) == lang.comment then
    return 'co', text:match('^[^\n]+', i)
  end
  if lang.block_comment and two == '/*' then return 'co', delimited_at(text, i, '*/') end
  if lang.triple and (three == '"""' or three == "'''") then
    return 'st', delimited_at(text, i, three)
  end
  if lang.directive and line_start and c == '#' then return 'pp', text:match('^#%s*%a*', i) end
  if lang.commands and c == '\\' then return 'kw', text:match('^\\%a+', i) or two end
  if lang.quotes:find(c, 1, true) then return 'st', string_at(text, i) end
  if c:match '[%a_]' then
    local word = text:match('^[%w_]+', i)
    return lang.keywords[word] and 'kw' or lang.types[word] and 'ty' or 'id', word
  end
  if c:match '%d' then return 'nu', number_at(text, i) end
  return 'tx', c
end

function lexer.tokens(text, language, emit)
  local lang = LANGUAGES[lexer.known(language or 'text') or 'text']
  local i, line_start, after_include = 1, true, false
  while i <= #text do
    local kind, token = token_at(text, i, lang, line_start)
    if after_include and token == '<' then
      kind, token = 'st', text:match('^<[^>\n]*>', i) or token
    end
    emit(kind, token)
    after_include = (kind == 'pp' and token:match 'include' ~= nil)
      or (after_include and token:match '^[ \t]+$' ~= nil)
    if token:find '\n' then line_start = true
    elseif not token:match '^%s' then line_start = false end
    i = i + #token
  end
end

return lexer
