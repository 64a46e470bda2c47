# Chapters -> tangled/ (committed, no #line), build/lined/ (with #line), build/exercises/ (solutions).

# build/roots.mk is remade when a chapter changes, appears or vanishes (then the folder is newer).
# Without noweb the committed tangle is taken as it is: enough for `make` and `make install`.
ifneq ($(SETUP)$(shell command -v notangle),)
ifneq ($(filter-out clean help deps,$(GOALS)),)
include build/roots.mk
endif
else
ROOTS    := $(notdir $(wildcard tangled/*.*))
PROGRAMS := $(basename $(notdir $(shell grep -lE '^(int +)?main\b' tangled/*.c)))
MODULES  := $(filter-out $(PROGRAMS),$(basename $(filter %.c,$(ROOTS))))
endif

NOWEB = /usr/lib/noweb
build/roots.mk: $(NW) book/. book/press/roots.awk | $(SETUP)
	@mkdir -p build tangled
	@grep -qsxF '# $(NW)' $@ || rm -rf build/tangle build/lined
	@{ echo '# $(NW)'; PATH=$$PATH:$(NOWEB) markup $(NW) | awk -f book/press/roots.awk; } > $@.new
	@mv $@.new $@

# A fresh tangle goes to build/tangle/ first, so that a notangle that fails damages nothing; cpif
# then leaves the time of an unchanged file alone, so that a change of prose recompiles no C.
# (Which chapters a root comes from stands in build/roots.mk.) Makefiles keep their tabs.
$(ROOTS:%=build/tangle/%): build/tangle/%:
	@mkdir -p $(@D)
	@notangle $(if $(filter %.mk %Makefile,$*),-t8) -R'$*' $^ > $@.new
	@mv $@.new $@

ifdef CHAPTERS
$(ROOTS:%=tangled/%): tangled/%: build/tangle/% FORCE
	@cmp -s $< $@ || { echo "tangling $@"; cpif $@ < $<; }
	@case "$$(head -c 2 $@)" in '#!') chmod +x $@;; esac

$(ROOTS:%=build/lined/%): build/lined/%:
	@mkdir -p $(@D)
	@notangle -L -R'$*' $^ > $@.new
	@mv $@.new $@

$(EXERCISES:%=build/%): build/%:
	@mkdir -p $(@D)
	@notangle -R'$*' $^ > $@.new
	@mv $@.new $@
endif

tangle: $(ROOTS:%=tangled/%) lined      ## refresh tangled/ and remove from it what no chapter has any more
	@for f in tangled/*; do case " $(ROOTS) * " in *" $${f#tangled/} "*) ;; \
	    *) echo "removing $$f: no chapter has this root"; rm -f "$$f";; esac; done
lined: $(patsubst %,build/lined/%,$(filter %.c %.h,$(ROOTS)))
.PHONY: tangle lined
