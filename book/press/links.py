#!/usr/bin/python3
"""Check every link of the woven book.

    links.py build/html            every *.html of a directory
    links.py build/book.epub       every *.xhtml of an EPUB

Refused, each with the page, its line and the link: a link to a page, picture, font or style
sheet that is not there; a link to an id that no element of that page has; an id given twice; a
picture without alternative text; a link inside a link; a heading that skips a level; an
external address that is not well formed.  Nothing is fetched from the network.  Exit status 1
if anything was wrong.
"""

import posixpath
import re
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes that name another resource, and attributes that name ids of the same page.
LINK_ATTRIBUTES = {"href", "src", "poster", "data", "cite", "xlink:href"}
ID_LIST_ATTRIBUTES = {"aria-labelledby", "aria-describedby", "for", "headers"}
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?$", re.IGNORECASE)


class Page(HTMLParser):
    """What one page defines (ids) and what it asks for (links), each with its line."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.ids = {}            # id -> line of its first use
        self.links = []          # (line, address)
        self.faults = []         # (line, sentence)
        self.heading = 0         # level of the last heading seen
        self.in_link = False
        self.feed(text)
        self.close()

    def fault(self, sentence):
        self.faults.append((self.getpos()[0], sentence))

    def handle_starttag(self, tag, attributes):
        line = self.getpos()[0]
        given = dict(attributes)
        for name, value in attributes:
            if name in ("id", "xml:id"):
                self.take_id(value, line)
            elif name in LINK_ATTRIBUTES:
                self.links.append((line, value or ""))
            elif name in ID_LIST_ATTRIBUTES:
                self.links += [(line, "#" + word) for word in (value or "").split()]
        if tag == "img" and not given.get("alt"):
            self.fault(f'picture "{given.get("src")}" has no alternative text')
        if tag == "a":
            if self.in_link:
                self.fault("a link inside a link")
            self.in_link = True
        if tag == "script":
            self.fault("a script: the book does without")
        if re.fullmatch("h[1-6]", tag):
            self.take_heading(int(tag[1]))

    def handle_endtag(self, tag):
        if tag == "a":
            self.in_link = False

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def take_id(self, value, line):
        if not value or re.search(r"\s", value):
            self.fault(f'id "{value}" is empty or has a space in it')
        elif value in self.ids:
            self.fault(f'id "{value}" was already given in line {self.ids[value]}')
        else:
            self.ids[value] = line

    def take_heading(self, level):
        if self.heading and level > self.heading + 1:
            self.fault(f"heading of level {level} follows one of level {self.heading}")
        self.heading = level


class Book:
    """The files of a directory or of an EPUB, by their names inside it."""

    def __init__(self, path):
        self.path = path
        if path.is_dir():
            self.names = {str(f.relative_to(path)) for f in path.rglob("*") if f.is_file()}
            self.read = lambda name: (path / name).read_text(encoding="utf-8")
        else:
            archive = zipfile.ZipFile(path)
            self.names = set(archive.namelist())
            self.read = lambda name: archive.read(name).decode("utf-8")
        self.pages = {name: Page(self.read(name)) for name in sorted(self.names)
                      if name.endswith((".html", ".xhtml"))}

    def style_links(self):
        """Yield (style sheet, line, address) for every url(...) in the style sheets."""
        for name in sorted(self.names):
            if name.endswith(".css"):
                for number, text in enumerate(self.read(name).splitlines(), 1):
                    for address in re.findall(r"""url\(\s*["']?([^"')]+)""", text):
                        yield name, number, address

    def verdict(self, name, address):
        """Say what is wrong with a link that stands in file `name`, or nothing."""
        try:
            parts = urlsplit(address)
        except ValueError as error:
            return f"is not well formed ({error})"
        if re.search(r'[\s<>"{}|\\^`]', address):
            return "has a character that does not belong into an address"
        if parts.scheme in ("http", "https"):
            return None if HOST.match(parts.netloc) else "has no proper host name"
        if parts.scheme == "mailto":
            return None if "@" in parts.path else "is no mail address"
        if parts.scheme == "data":
            return None
        if parts.scheme or parts.netloc:
            return f"has the unexpected scheme {parts.scheme or '//'}"
        if not parts.path and not parts.fragment:
            return "is empty"
        return self.internal_verdict(name, unquote(parts.path), unquote(parts.fragment))

    def internal_verdict(self, name, path, fragment):
        target = name
        if path:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        if target not in self.names:
            return f"goes to {target}, which does not exist"
        if fragment and target in self.pages and fragment not in self.pages[target].ids:
            return f"goes to an id that {target} does not have"
        return None

    def faults(self):
        """Yield (file, line, sentence) for everything that is wrong."""
        for name, page in self.pages.items():
            for line, sentence in page.faults:
                yield name, line, sentence
            for line, address in page.links:
                sentence = self.verdict(name, address)
                if sentence:
                    yield name, line, f'link "{address}" {sentence}'
        for name, line, address in self.style_links():
            sentence = self.verdict(name, address)
            if sentence:
                yield name, line, f'link "{address}" {sentence}'


def main(paths):
    wrong = 0
    for path in map(Path, paths):
        book = Book(path)
        for name, line, sentence in book.faults():
            print(f"{path}/{name}:{line}: {sentence}", file=sys.stderr)
            wrong += 1
        if not book.pages:
            print(f"{path}: no page in it", file=sys.stderr)
            wrong += 1
        links = sum(len(page.links) for page in book.pages.values())
        print(f"{path}: {len(book.pages)} pages, {links} links, {wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
