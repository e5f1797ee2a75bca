"""Everything that is checked of one tree."""

from . import links, page, run, words


class Tree:
    def __init__(self, root, target):
        self.root, self.target = root, target
        self.files, self.folders = links.shipped(root)
        self.pages = {path: page.read(root, path) for path in sorted(self.files) if path.endswith(".md")}

    def mistakes(self, only=None, can_run=True):
        found = [*links.check(self.pages, self.files, self.folders), *links.unreached(self.pages, self.files)]
        ours = words.Ours(self.root, self.files, self.folders, str(self.target / "release/authgate"))
        sandbox = [self.root, self.target] if can_run else None
        for one in self.pages.values():
            if only is None or one.path in only:
                found += ours.check(one)
                found += run.check(one, sandbox)
        found += [mistake for path in self.files if path.endswith(".conf") for mistake in ours.check_comments(path)]
        return sorted(mistake for mistake in found if only is None or mistake[0] in only)
