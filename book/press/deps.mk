# What must be installed.  PACKAGES is all that building, testing and weaving need, on Debian 12;
# EXTRAS is needed by `make oracle`, `make speed` and `make experiments` alone, which install it;
# CITOOLS serves .ci/run (epubcheck alone brings 130 packages), and those tests that skip themselves
# where gdb, gcovr or a compiler for ARM is missing.

PACKAGES = make gcc libc6-dev pkg-config libcriterion-dev libjansson-dev zlib1g-dev dataset-fashion-mnist \
    noweb gawk universal-ctags pandoc graphviz gnuplot-nox poppler-utils python3 librsvg2-bin woff2 \
    texlive-luatex texlive-latex-recommended texlive-latex-extra texlive-pictures \
    texlive-fonts-recommended lmodern fonts-texgyre fonts-texgyre-math fonts-jetbrains-mono
EXTRAS   = python3-torch python3-numpy libopenblas0-openmp
CITOOLS  = git clang gdb gcovr epubcheck valgrind gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static

# Every goal but these few sets itself up: build/roots.mk, which they all read, asks for `deps`.
# (all, install: the committed tangle and a C compiler suffice. make -n installs nothing.)
ALONE = all library programs install clean help deps
ifneq ($(filter-out $(ALONE),$(GOALS)),)
ifeq ($(findstring n,$(firstword -$(MAKEFLAGS))),)
SETUP = deps
endif
endif

deps:                                   ## install the Debian packages and fetch the data sets (if missing)
	@book/press/deps $(PACKAGES)
	@data/fetch

extras: deps
	@book/press/deps $(EXTRAS)
citools:
	@book/press/deps $(CITOOLS)
.PHONY: deps extras citools
