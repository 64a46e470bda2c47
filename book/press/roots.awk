# roots.awk: noweb's markup of all chapters -> make variables and rules, on standard output.
#
# Finds the file roots, checks the chunks (defined, used, spelt alike, local to one chapter), and
# follows each root's uses to learn its chapter and whether it defines main. Plain POSIX awk.

function complain(where, what) { print where ": " what > "/dev/stderr"; bad = 1 }
function here() { return file ":" line }
function is_file(name) { return name ~ /^[A-Za-z0-9_.\/-]+\.[A-Za-z0-9]+$/ || name ~ /^(.*\/)?Makefile$/ }

# A line of the markup counts one line of the chapter for each @nl.
/^@file /       { file = substr($0, 7); line = 1
                  chapter = file; sub(/^.*\//, "", chapter); sub(/-.*/, "", chapter)
                  if (chapter in path) complain(file ":1", path[chapter] " has the same number")
                  chapters[++nchapters] = chapter; path[chapter] = file }
/^@fatal /      { bad = 1 }                              # markup has said why
/^@begin code / { code = 1; text = "" }
/^@end code /   { code = 0; chunk = "" }
/^@quote/       { quoting = 1 }
/^@endquote/    { quoting = 0 }
/^@defn /       { chunk = substr($0, 7); define(chunk) }
/^@use /        { if (code) use(substr($0, 6)); else if (quoting) mention(substr($0, 6)) }
/^@text / && code { text = text substr($0, 7) }
/^@nl$/ || /^@index nl$/ {
    if (code && chunk != "") {
        if (text ~ /^(int +)?main *\(/) has_main[chunk] = 1
        if (text ~ /DL_DOUBLE/ && double_from == "") double_from = chapter
    }
    text = ""
    line++
}

# Names that look alike have the same fold.
function fold(name) { name = tolower(name); gsub(/[ \t]+/, " ", name); return name }
function show(name) { return "<<" name ">> (" defined[name] ")" }

function define(name,   other) {
    if (!(name in defined)) {
        if (fold(name) in spelt) {
            other = spelt[fold(name)]
            complain(here(), "chunks <<" name ">> and " show(other) " differ only in case or space")
        } else spelt[fold(name)] = name
        names[++nnames] = name
        defined[name] = here()
        home[name] = chapter
    } else if (home[name] != chapter && name != "dlfs.h")
        complain(here(), "<<" name ">> is already defined in " defined[name] \
            "; a chunk belongs to one chapter")
    if (index(homes[name] " ", " " path[chapter] " ") == 0) homes[name] = homes[name] " " path[chapter]
}
function use(name) {
    uses[chunk, ++nuses[chunk]] = name
    used[name] = 1
    if (!((name, chapter) in used_at)) used_at[name, chapter] = here()
}
function mention(name) { if (!((name, chapter) in mentioned_at)) mentioned_at[name, chapter] = here() }

# A use or mention must find its chunk, and find it in the same chapter.
function look_up(at, verb,   key, part, name, it) {
    for (key in at) {
        split(key, part, SUBSEP)
        name = part[1]
        it = "chunk <<" name ">> is " verb
        if (!(name in defined) && fold(name) in spelt)
            complain(at[key], it ", but differs in case or space from " show(spelt[fold(name)]))
        else if (!(name in defined))
            complain(at[key], it " but not defined")
        else if (verb == "used" && is_file(name))
            complain(at[key], "<<" name ">> names a file, so no chunk can use it")
        else if (verb == "used" && home[name] != part[2])
            complain(at[key], it " but defined in another chapter: " show(name))
    }
}

# Does the chunk, or one that it uses, define main? Notes all of them as reached.
function defines_main(name,   i, found) {
    if (name in visited) return 0
    visited[name] = reached[name] = 1
    found = name in has_main
    for (i = 1; i <= nuses[name]; i++) if (defines_main(uses[name, i])) found = 1
    return found
}

# A chunk that no other uses must be a file.
function root(name,   stem, is_program, v) {
    if (!is_file(name)) {
        complain(defined[name], "chunk <<" name ">> is never used")
        return
    }
    for (v in visited) delete visited[v]
    is_program = defines_main(name)
    if (name ~ /^exercises\//) {
        print "build/" name ":" homes[name]
        exercises = exercises " " name
        return
    }
    if (name ~ /\//) {
        complain(defined[name], "<<" name ">>: no directory but exercises/ may stand before a file's name")
        return
    }
    print "build/tangle/" name " build/lined/" name ":" homes[name]
    roots = roots " " name
    if (name !~ /\.c$/) return
    stem = substr(name, 1, length(name) - 2)
    if (is_program) programs = programs " " stem
    else {
        modules = modules " " stem
        own[home[name]] = own[home[name]] " " stem
    }
}

END {
    look_up(used_at, "used")
    look_up(mentioned_at, "mentioned")
    for (i = 1; i <= nnames; i++) if (!(names[i] in used)) root(names[i])
    for (i = 1; i <= nnames && !bad; i++)
        if (!(names[i] in reached))
            complain(defined[names[i]], "chunk <<" names[i] ">> is part of no file: chunks use each other in a circle")
    print "ROOTS :=" roots
    print "MODULES :=" modules
    print "PROGRAMS :=" programs
    print "EXERCISES :=" exercises
    for (i = 1; i <= nchapters; i++) {
        upto = upto own[chapters[i]]
        all = all " " chapters[i]
        print "UPTO_" chapters[i] " :=" upto
        if (double_from != "" && chapters[i] >= double_from) print "DOUBLES += " chapters[i]
    }
    print "CHAPTERS :=" all
    exit bad
}
