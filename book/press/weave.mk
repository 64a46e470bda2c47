# Weaving: the book as PDF, HTML and EPUB.  (The rules of HTML and EPUB stand in web.mk.)
#
# The chapters go through noweb and the common filters once (see parse); from the document that
# comes out, build/weave/book.json, each edition is made.

PRESS    = book/press
WEAVE    = build/weave
RESULTS  = $(wildcard figures/results/*.tsv)
# What the chapters show: pictures, and parts of other files
IMAGE    = .*](\(figures\/[A-Za-z0-9_-]*\)).*
PICTURES = $(sort $(shell sed -n 's/$(IMAGE)/build\/\1/p' $(NW) /dev/null))
EXCERPT  = ^```* *{\.excerpt file="\([^"]*\)".*
EXCERPTS = $(sort $(shell sed -n 's/$(EXCERPT)/\1/p' $(NW) /dev/null))
PARSE    = $(addprefix $(PRESS)/,parse markdown.awk definitions.awk report.lua lexer.lua \
    chunk.lua results.lua excerpts.lua maths.lua chunks.lua number.lua exercises.lua \
    ledger.lua backmatter.lua stop.lua)
TYPESET  = $(addprefix $(PRESS)/,pdf book.latex layout.tex margins.lua latex.lua latexlog.awk \
    chunks-latex.lua latexwriter.lua)
METADATA = $(wildcard book/metadata.yaml book/references.bib figures/experiments.tsv figures/ledger.tsv)

# Two makes must not weave into the same files at once: the second waits.  A process that lives as
# long as this make holds the lock (which is on the directory book/, so that no file is needed).
ifneq ($(filter book html epub draft spread build/%,$(GOALS)),)
ifeq ($(MAKE_RESTARTS)$(shell command -v flock >/dev/null || echo none),)
$(shell exec 9<book; flock -w 0.5 9 || { echo 'Waiting until another make has woven' >&2; flock 9; }; \
    tail -s 0.1 --pid=$$PPID -f /dev/null >/dev/null 2>&1 &)
endif
endif

book: all build/book.pdf html epub      ## the book as PDF, HTML and EPUB

$(WEAVE)/defs.txt: $(patsubst %,build/lined/%,$(filter %.c %.h,$(ROOTS))) $(PRESS)/definitions
	@mkdir -p $(@D)
	@$(PRESS)/definitions $(filter build/lined/%,$^) > $@.new
	@mv $@.new $@

$(WEAVE)/book.json: $(NW) $(WEAVE)/defs.txt $(PARSE) $(METADATA) $(RESULTS) $(EXCERPTS)
	$(call say,weave $@) $(PRESS)/lint --only-text $(NW) && \
	    $(PRESS)/parse -d $(WEAVE)/defs.txt -o $(WEAVE) $(NW)

build/book.pdf: $(WEAVE)/book.json $(TYPESET) $(PICTURES:%=%.pdf)
	$(call say,typeset $@) $(PRESS)/pdf $< $@

# One chapter, quickly: LuaLaTeX runs once, with the page numbers of the last draft (the first draft
# has those of the whole book, if there are any).  References to others print as their labels.
CHAPTER  = $(filter book/$(CH)-%.nw,$(NW))
ifeq ($(filter draft,$(GOALS))$(CH),draft)
$(error Say which chapter: make draft CH=$(firstword $(CHAPTERS)). There are: $(NW:book/%=%))
endif
LATER    = $(WEAVE)/draft-$(CH)/draft-$(CH).aux
draft: $(WEAVE)/defs.txt $(PICTURES:%=%.pdf) ## one chapter as PDF (CH=02)
	@$(PRESS)/parse -d $(WEAVE)/defs.txt -o $(WEAVE)/draft \
	    -M draft=$(CH) $(CHAPTER)
	@mkdir -p $(dir $(LATER))
	@[ -f $(LATER) ] || cp $(WEAVE)/book/book.aux $(LATER) 2>/dev/null || true
	@$(PRESS)/pdf -n $$([ -f $(LATER) ] && echo 1 || echo 2) $(WEAVE)/draft/book.json \
	    build/draft-$(CH).pdf

# The two facing pages that README.md shows: those of this label.
SPREAD   = fig:steps
spread: build/book.pdf                  ## draw figures/spread.png anew, two pages for README.md
	@$(PRESS)/spread $(SPREAD) $< figures/spread.png

lint:                                   ## all mistakes in the chapters that the press refuses
	@$(PRESS)/lint $(or $(CHAPTER),$(NW))

# Pictures: drawings (TikZ), plots (gnuplot), graphs (Graphviz); the screen's are made of the page's.
build/figures/%.pdf: figures/%.tex figures/style.tex
	@mkdir -p $(@D)
	$(call say,draw $@) lualatex -interaction=batchmode -halt-on-error \
	    -output-directory $(@D) $< > /dev/null || { grep -A 5 '^!' $(@:.pdf=.log) >&2; exit 1; }

build/figures/%.pdf: figures/%.gp figures/style.gp $(RESULTS)
	@mkdir -p $(@D)
	$(call say,plot $@) gnuplot figures/style.gp -e 'set output "$@.new"' $<
	@mv $@.new $@

# An experiment may draw itself: figures/results/NAME.svg.
build/figures/%.pdf: figures/results/%.svg
	@mkdir -p $(@D)
	$(call say,draw $@) rsvg-convert -f pdf -o $@ $<

DOTFONT = fontname="TeX Gyre Pagella"
build/figures/%.pdf: build/figures/%.dot
	$(call say,draw $@) dot -Tpdf -N$(DOTFONT) -E$(DOTFONT) -G$(DOTFONT) -Nfontsize=9 \
	    -Nheight=0.2 -Nwidth=0.3 -Nmargin=0.06,0.03 -Granksep=0.35 -Epenwidth=0.6 -Npenwidth=0.6 -Earrowsize=0.6 -o $@ $<

build/figures/%.dot: figures/%.dot
	@mkdir -p $(@D)
	@cp $< $@

# A picture NAME without a source is the graph that the program NAME prints.
build/figures/%.dot: build/%
	@mkdir -p $(@D)
	@$< > $@

build/figures/%.svg: build/figures/%.pdf
	@pdftocairo -svg $< $@

.PHONY: book draft lint spread
