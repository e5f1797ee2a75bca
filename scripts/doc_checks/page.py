"""What a page of documentation has in it: headings, links, blocks, code in passing; each with its line."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt

PARSER = MarkdownIt("commonmark").enable("table")
HIDDEN = re.compile(r"<!-- sh\n(.*?)-->", re.DOTALL)


@dataclass
class Block:
    """`first` is the line of the opening fence, `last` that of the closing one."""

    first: int
    last: int
    info: str
    text: str

    @property
    def language(self):
        return self.info.split(" ")[0]

    @property
    def file(self):
        return next((word[5:] for word in self.info.split() if word.startswith("file=")), None)

    @property
    def no_run(self):
        """Why it is not run; None, where it is."""
        _, found, why = self.info.partition(" no-run")
        return why.removeprefix(":").strip() if found else None


@dataclass
class Page:
    path: str
    lines: int = 0
    anchors: set = field(default_factory=set)
    links: list = field(default_factory=list)
    blocks: list = field(default_factory=list)
    codes: list = field(default_factory=list)


def read(tree, path):
    text = (tree / path).read_text()
    page = Page(path, text.count("\n"))
    headings = []
    tokens = PARSER.parse(text)
    for before, token in zip([None, *tokens], tokens):
        line = token.map[0] + 1 if token.map else None
        if token.type == "fence":
            page.blocks.append(Block(line, token.map[1], token.info.strip(), token.content))
        elif token.type == "html_block":
            html(page, line, token.content)
            if hidden := HIDDEN.match(token.content):
                page.blocks.append(Block(line, line + hidden[0].count("\n"), "sh hidden", hidden[1]))
        elif token.type == "inline":
            inline(page, line, token.children)
            if before.type == "heading_open":
                headings.append(plain(token.children))
    page.anchors |= slugs(headings)
    return page


def inline(page, line, tokens):
    in_link = 0
    for token in tokens:
        in_link += token.nesting if token.type.startswith("link_") else 0
        if token.type in ("softbreak", "hardbreak"):
            line += 1
        elif token.type == "link_open":
            page.links.append((line, token.attrs["href"]))
        elif token.type == "image":
            page.links.append((line, token.attrs["src"]))
        elif token.type == "code_inline":
            page.codes.append((line, token.content))
        elif token.type == "html_inline":
            html(page, line, token.content)
        elif token.type == "text" and not in_link:
            page.links += [(line, url) for url in re.findall(r"\bhttps?://\S+", token.content)]


def html(page, line, text):
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: attribute(page, line, dict(attributes))
    parser.feed(text)


def attribute(page, line, attributes):
    page.links += [(line, attributes[name]) for name in ("href", "src", "srcset") if attributes.get(name)]
    page.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}


def plain(tokens):
    return "".join(token.content for token in tokens if token.type in ("text", "code_inline"))


def slugs(headings):
    """As GitHub makes them."""
    found = {}
    result = set()
    for heading in headings:
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        result.add(f"{slug}-{count}" if count else slug)
    return result
