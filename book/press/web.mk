# The book for screens: build/html/ (start at index.html) and build/book.epub.
#
# Both begin with build/weave/book.json, the chapters as all editions share them (see parse), and
# end with links.py, which refuses dangling links.  The pages that were checked carry the stamp
# build/weave/html.ok, so nothing is done twice.

PRESS      = book/press
WEAVE      = build/weave
WEBFILTERS = $(addprefix $(PRESS)/,html.lua mathml.lua chunks-html.lua pages.lua stop.lua)
WEBMODULES = $(addprefix $(PRESS)/,report.lua chunk.lua)
WEAVEWEB   = pandoc -f json $(WEAVE)/book.json --fail-if-warnings \
    $(WEBFILTERS:%=-L %) --mathml

html: $(WEAVE)/html.ok                  ## the book as HTML, in build/html/
epub: build/book.epub                   ## the book as EPUB 3

# Fonts: Debian's, compressed for the web; as they are in the EPUB, since few readers know woff2.
GYRE       = /usr/share/texmf/fonts/opentype/public
JETBRAINS  = /usr/share/fonts/truetype/jetbrains-mono
FONT_pagella            = $(GYRE)/tex-gyre/texgyrepagella-regular.otf
FONT_pagella-italic     = $(GYRE)/tex-gyre/texgyrepagella-italic.otf
FONT_pagella-bold       = $(GYRE)/tex-gyre/texgyrepagella-bold.otf
FONT_pagella-bolditalic = $(GYRE)/tex-gyre/texgyrepagella-bolditalic.otf
FONT_pagella-math       = $(GYRE)/tex-gyre-math/texgyrepagella-math.otf
FONT_mono               = $(JETBRAINS)/JetBrainsMono-Regular.ttf
FONT_mono-italic        = $(JETBRAINS)/JetBrainsMono-Italic.ttf
FONT_mono-bold          = $(JETBRAINS)/JetBrainsMono-SemiBold.ttf
WEBFONTS  := $(patsubst FONT_%,%,$(filter FONT_%,$(.VARIABLES)))
EPUBFONTS  = $(foreach f,$(WEBFONTS),$(WEAVE)/fonts/$f$(suffix $(FONT_$f)))

$(EPUBFONTS): $(WEAVE)/fonts/%: $$(FONT_$$(basename $$*))
	@mkdir -p $(@D)
	@cp $< $@
build/html/fonts/%.woff2: $$(WEAVE)/fonts/$$*$$(suffix $$(FONT_$$*))
	@mkdir -p $(@D)
	@woff2_compress $(WEAVE)/fonts/$*$(suffix $(FONT_$*)) >/dev/null 2>&1
	@mv $(WEAVE)/fonts/$*.woff2 $@

# The figures that the chapters show.
SVGS = $(sort $(shell sed -n 's/.*](\(figures\/[A-Za-z0-9_-]*\)).*/build\/\1.svg/p' $(NW) /dev/null))

$(WEAVE)/html.ok: $(WEAVE)/book.json $(WEBFILTERS) $(WEBMODULES) $(PRESS)/page.html \
    $(PRESS)/style.css $(PRESS)/icon.svg $(PRESS)/links.py $(SVGS) \
    $(WEBFONTS:%=build/html/fonts/%.woff2)
	@mkdir -p build/html/figures
	@rm -f build/html/*.html build/html/figures/*
	@cp $(PRESS)/style.css $(PRESS)/icon.svg build/html/
	@$(if $(SVGS),cp $(SVGS) build/html/figures/)
	@$(WEAVEWEB) -M out=build/html -M page=$(PRESS)/page.html -t html5 -o /dev/null
	@$(PRESS)/links.py build/html
	@touch $@

# The EPUB's cover is drawn from the book's title.
$(WEAVE)/cover.png: $(WEAVE)/book.json $(PRESS)/cover.lua
	@pandoc -f json $(WEAVE)/book.json -t $(PRESS)/cover.lua -o $(WEAVE)/cover.svg
	@rsvg-convert -w 1200 -h 1800 -o $@ $(WEAVE)/cover.svg

build/book.epub: $(WEAVE)/book.json $(WEBFILTERS) $(WEBMODULES) $(PRESS)/epub.css \
    $(PRESS)/links.py $(WEAVE)/cover.png $(SVGS) $(EPUBFONTS)
	@$(WEAVEWEB) -t epub3 --epub-chapter-level=1 --toc-depth=2 --css $(PRESS)/epub.css \
	    --epub-cover-image=$(WEAVE)/cover.png $(EPUBFONTS:%=--epub-embed-font=%) \
	    -o $(WEAVE)/book.epub
	@$(PRESS)/links.py $(WEAVE)/book.epub
	@mv $(WEAVE)/book.epub $@

epubcheck: build/book.epub              ## what the EPUB standard's own checker says
	@java -jar $$(command -v epubcheck) --failonwarnings $<

.PHONY: html epub epubcheck
