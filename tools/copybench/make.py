"""copybench make: a set of originals, attacked copies and strangers from a folder of photographs."""

import hashlib
import itertools
import json
import pathlib
import sys

import cv2
import numpy as np

import attacks
import geometry
import operations
import strangers

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]
SMALLEST_REGION = 100  # square pixels of an original that a copy must show
FLATTEST_REGION = 2    # standard deviation of the grey tones (0 to 255) of what it shows, at least
MOST_DUPLICATES = 20    # of one original that is stored several times


def options(parser):
    """The command line of `make`."""
    parser.add_argument("--images", required=True, type=pathlib.Path, metavar="FOLDER",
                        action="append", help="photographs, in this folder and below it; again")
    parser.add_argument("--related", type=pathlib.Path, metavar="FILE",
                        help="list of files among them, one a line, as seen from an --images "
                             "folder, that may be copies of others: neither originals nor "
                             "strangers nor backdrops")
    parser.add_argument("--distractors", type=pathlib.Path, metavar="FOLDER", action="append",
                        default=[], help="pictures that are stored besides the originals, unless "
                        "they serve as something else; again")
    parser.add_argument("--alike", type=pathlib.Path, metavar="FOLDER", action="append",
                        default=[], help="pictures that look alike and are no copies of one "
                        "another: every second one is stored, the others are strangers; again")
    parser.add_argument("--apart", type=pathlib.Path, metavar="FOLDER", action="append",
                        default=[], help="the same of the pictures of the half; again")
    parser.add_argument("--out", required=True, type=pathlib.Path, metavar="DIR",
                        help="a new or empty folder")
    parser.add_argument("--seed", required=True, type=int, metavar="N")
    parser.add_argument("--originals", type=int, default=100, metavar="N")
    parser.add_argument("--strangers", type=int, default=100, metavar="N")
    parser.add_argument("--copies-per-attack", type=int, default=5, metavar="N",
                        help="for each strength of each attack")
    parser.add_argument("--half", choices=("a", "b", "all"), default="all",
                        help="of the photographs: a to tune on, b to report on")
    parser.add_argument("--same", type=pathlib.Path, metavar="FILE",
                        help="pairs of names of --alike and --apart files, with a tab between, that do show the "
                             "same: they count neither as right nor as wrong")
    parser.add_argument("--duplicates", type=int, default=0, metavar="N",
                        help="originals that are stored several times: with one to 20 copies, "
                             "saved again, two thirds of them scaled, which are right answers, too; "
                             "each is a query, too [0]")
    parser.add_argument("--others", action="store_true",
                        help="take strangers and backdrops from the other half, where one half has "
                             "too few pictures; no pair of pictures is in both benches even so")
    parser.add_argument("--split-seed", type=int, default=1, metavar="N",
                        help="decides the halves; keep it, so that b stays unseen [1]")
    parser.add_argument("--traits", metavar="NAME,…", default=",".join(strangers.DEFAULT_GROUPS),
                        help="what hard strangers, and some originals, share; only these, of "
                             f"{', '.join(strangers.GROUPS)} [%(default)s]")
    parser.add_argument("--themes", type=int, default=1, metavar="N",
                        help="so many different forms, scenes, … of each of the traits: where they are as many "
                             "as originals with a trait, each is stored once [1]")
    parser.add_argument("--attacks", metavar="NAME,…",
                        help=f"only these of {', '.join(attacks.ATTACKS)} [all; none with "
                             "--compositions or --per-operation]")
    parser.add_argument("--compositions", type=int, default=0, metavar="N",
                        help="copies by one to three random operations of random strength [0]")
    parser.add_argument("--per-operation", type=int, default=0, metavar="N",
                        help="copies by each operation alone, of random strength [0]")
    parser.add_argument("--lossless", action="store_true",
                        help="save what is drawn, and the queries, as PNG instead of JPEG of quality 95")
    parser.add_argument("--families", metavar="NAME,…", default=",".join(operations.FAMILIES),
                        help="only operations of these families: %(default)s")


def chosen(what, names, known):
    """The names of a list with commas; ends the program where one is unknown."""
    unknown = set(names.split(",")) - set(known)
    if unknown:
        sys.exit(f"copybench: no such {what}: {', '.join(sorted(unknown))}")
    return names.split(",")


def generator(*words):
    """Random numbers that depend on the words only."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def pictures(folder):
    """[(hash of the content, path)] of all pictures in a folder and below it, by path."""
    if not folder.is_dir():
        sys.exit(f"copybench: {folder} is no folder")
    return [(hashlib.sha256(path.read_bytes()).hexdigest(), path)
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in ENDINGS and path.is_file()]


def photographs(folders, half, split_seed):
    """{hash of the content: path} of a half, ordered by hash; equal files count once."""
    found = {}
    for content, path in (pair for folder in folders for pair in pictures(folder)):
        side = hashlib.sha256(f"{split_seed}/{content}".encode()).digest()[0] % 2
        if half == "all" or half == "ab"[side]:
            found.setdefault(content, path)
    return dict(sorted(found.items()))


def related(file, folders):
    """The hashes of the files that a list names, each below one of the folders."""
    names = file.read_text(encoding="utf-8").splitlines() if file else []
    hashes = set()
    for name in filter(None, names):
        found = [folder / name for folder in folders if (folder / name).is_file()]
        if not found:
            sys.exit(f"copybench: {file}: no --images folder has {name}")
        hashes.add(hashlib.sha256(found[0].read_bytes()).hexdigest())
    return hashes


def source(path, folders):
    """The name of the first of the folders that a picture lies in or below."""
    return next(folder.resolve().name for folder in folders if path.is_relative_to(folder))


def link(path, folder, number):
    """A link to a picture under a name that says nothing; gives its path in the bench."""
    target = folder / f"d{number:05}{path.suffix.lower()}"
    target.symlink_to(path.absolute())
    return f"{folder.name}/{target.name}"


def write_distractors(options, used):
    """Links what is stored besides originals; gives how many, the strangers of --alike, and what
    is stored of it."""
    folder, queries, alike, count = options.out / "originals", [], [], 0
    for source in options.distractors:
        for content, path in pictures(source):
            if content not in used:
                used.add(content)
                link(path, folder, count)
                count += 1
    same = [set(line.split("\t")) for line in options.same.read_text().splitlines()
            ] if options.same else []
    looked_at = [[path for _, path in pictures(source)] for source in options.alike]
    looked_at += [list(photographs([source], options.half, options.split_seed).values())
                  for source in options.apart]
    for paths in looked_at:
        stored = {}
        for path in paths[::2]:
            stored[path.name] = link(path, folder, count)
            count += 1
        alike.extend(stored.values())
        for path in paths[1::2]:
            ignored = [stored[name] for name in stored if {name, path.name} in same]
            queries.append(({"kind": "stranger", "attack": f"alike {path.parent.name}",
                             "strength": 1, "originals": [], "ignored": ignored}, read(path)))
    return count, queries, alike


def write_duplicates(options, originals):
    """Stores some originals several times; gives {original: [its duplicates]} as paths."""
    rng = generator(options.seed, "duplicates")
    found = {}
    for path in sorted(rng.permutation(originals)[:options.duplicates]):
        image = read(options.out / path)
        found[str(path)] = []
        for i in range(round(np.exp(rng.uniform(0, np.log(MOST_DUPLICATES))))):
            # A third has equal pixels.
            factor = rng.uniform(0.5, 1) if rng.uniform() < 2 / 3 else 1
            name = path.replace("originals/o", f"originals/s{i}").rsplit(".", 1)[0]
            name += ".jpg" if factor < 1 else ".png"
            (options.out / name).write_bytes(saved_again(image, factor, int(rng.integers(20, 91))))
            found[str(path)].append(name)
    return found


def saved_again(image, factor, quality):
    """Scaled JPEG; PNG of equal pixels where the factor is 1."""
    if factor == 1:
        return cv2.imencode(".png", image)[1].tobytes()
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def with_duplicates(line, duplicates):
    """The truth of a query, with the duplicates of the originals that it shows."""
    more = [{"path": name} for part in line["originals"]
            for name in duplicates.get(part["path"], [])]
    return {**line, "originals": line["originals"] + more}


def again(options, duplicates):
    """As copies: each original that is stored several times, with equal pixels."""
    for path in duplicates:
        yield {"kind": "copy", "attack": "again", "strength": 1, "originals": [{"path": path}]}, \
            read(options.out / path)


def on_white(bgra):
    """What a viewer shows of a picture with an alpha channel."""
    alpha = bgra[..., 3:].astype(np.uint32)
    return ((bgra[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def read(path):
    """BGR pixels, upright, on white where they are transparent; None where OpenCV can't read the
    file."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is not None and image.dtype == np.uint8 and image.shape[2:] == (4,):
        return on_white(image)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)  # Turned as the camera says, which the above isn't.


def write(path, image):
    """By its ending; JPEG of quality 95."""
    path.write_bytes(cv2.imencode(path.suffix, image, QUALITY)[1].tobytes())


class Pool:
    """The pictures that attacks may take besides the one they attack."""

    def __init__(self, out, originals, backdrops):
        self.out, self.originals, self.backdrops = out, originals, backdrops

    def original(self, path):
        """An original, not attacked yet, by its path in the bench."""
        return geometry.whole(path, read(self.out / path))

    def backdrop(self, rng):
        """Pixels of a photograph that is no original."""
        return read(self.backdrops[int(rng.integers(0, len(self.backdrops)))])

    def others(self, rng, count, without):
        """`count` further originals, fewer if there are not so many."""
        left = [path for path in self.originals if path not in without]
        return [self.original(left[i]) for i in rng.permutation(len(left))[:count]]


def plan(count, share, groups):
    """The groups of `count` pictures: `share` of them cycle through `groups`, the rest is None."""
    hard = min(count, round(count * share)) if groups else 0
    return [groups[i % len(groups)] for i in range(hard)] + [None] * (count - hard)


def theme(options, group, i):
    """The seed of the trait that the i-th picture shares with others of its group."""
    word = ("theme", group) if options.themes == 1 else ("theme", group, i % options.themes)
    return int(generator(options.seed, *word).integers(0, 2 ** 62))


def drawn_ending(options):
    """Of a picture that is drawn."""
    return ".png" if options.lossless else ".jpg"


def write_picture(path, group, photo, rng, shared):
    """A photograph as it is (its bytes, where `path` has its ending), or a member of a group."""
    if group is None:
        path.write_bytes(photo.read_bytes())
        return
    pixels = read(photo) if photo else None
    write(path, strangers.member(group, pixels, rng, shared))


def takes_photo(group):
    """Whether a picture of this group (None: plain) uses up a photograph."""
    return group is None or group in strangers.NEEDS_PHOTO


def write_originals(options, photos):
    """Writes DIR/originals, taking photographs from the list's end; gives {path in the bench: name of
    the --images folder of its photograph, None where it is drawn}, by path.

    A sixth of them, but at least one for each group, carries the trait of a group of strangers.
    """
    groups = options.traits
    share = max(len(groups) / max(1, options.originals), 1 / 6)
    planned = plan(options.originals, min(share, 0.5), groups)
    order = generator(options.seed, "original names").permutation(len(planned))
    found = {}
    for i, (number, group) in enumerate(zip(order, planned)):
        photo = photos.pop() if takes_photo(group) else None
        ending = drawn_ending(options) if group else photo.suffix.lower()
        path = f"originals/o{number:05}{ending}"
        write_picture(options.out / path, group, photo, generator(options.seed, f"original {number}"),
                      theme(options, group, i))
        found[path] = source(photo, options.images) if photo else None
    return dict(sorted(found.items()))


def shows_something(image, region):
    """Whether something of an original can be seen in a region of a copy."""
    if geometry.area(region) < SMALLEST_REGION:
        return False
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.rint(region).astype(np.int32), 255)
    inside = cv2.erode(inside, np.ones((5, 5)))  # Without the edge, which is half another picture's.
    deviation = cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), mask=inside)[1]
    return float(deviation[0, 0]) >= FLATTEST_REGION


def shown(copy):
    """A copy whose truth is not empty, of what the function `copy` gives, (picture, anything); None
    where twenty tries gave none."""
    for _ in range(20):
        done, about = copy()
        done.parts = [p for p in done.parts if shows_something(done.image, p.region)]
        if done.parts:
            return done, about
    return None


def copy_line(attack, strength, done, **more):
    """(What truth.jsonl says but for the name, pixels) of a copy."""
    return ({"kind": "copy", "attack": attack, "strength": strength,
             "originals": [part.record() for part in done.parts], **more}, done.image)


def copies(options, pool):
    """Yields (what truth.jsonl says but for the name, pixels) of each copy by an attack."""
    for attack in options.attacks:
        function, strengths = attacks.ATTACKS[attack]
        for strength in strengths:
            order = generator(options.seed, "choice", attack, strength).permutation(
                len(pool.originals))
            for i in range(options.copies_per_attack):
                rng = generator(options.seed, "copy", attack, strength, i)
                path = pool.originals[order[i % len(order)]]
                made = shown(lambda: (function(pool.original(path), strength, rng, pool), None))
                if made is not None:
                    yield copy_line(attack, strength, made[0])


def with_operations(attack, strength, made):
    """copy_line of a picture and the operations that gave it, [(name, family, strength)]."""
    done, applied = made
    return copy_line(attack, strength, done, operations=[
        {"name": name, "family": family, "strength": value} for name, family, value in applied])


def composed(options, pool):
    """As copies, of --compositions; their strength is the number of operations."""
    order = generator(options.seed, "choice", "composition").permutation(len(pool.originals))
    for i in range(options.compositions):
        rng = generator(options.seed, "composition", i)
        path = pool.originals[order[i % len(order)]]
        made = shown(lambda: operations.compose(pool.original(path), options.families, rng, pool))
        if made is not None:
            yield with_operations("composition", len(made[1]), made)


def operated(options, pool):
    """As copies, of --per-operation; their strength is rounded to tenths."""
    for name, (family, function) in operations.OPERATIONS.items():
        order = generator(options.seed, "choice", "operation", name).permutation(len(pool.originals))
        for i in range(options.per_operation if family in options.families else 0):
            rng = generator(options.seed, "operation", name, i)
            strength = round(float(rng.uniform(0, 1)), 3)
            path = pool.originals[order[i % len(order)]]
            made = shown(lambda: (function(pool.original(path), strength, rng, pool),
                                  [(name, family, strength)]))
            if made is not None:
                yield with_operations(name, round(strength, 1), made)


def stranger_queries(options, photos):
    """Yields (what truth.jsonl says but for the name, pixels) of each stranger; half are hard."""
    for i, group in enumerate(plan(options.strangers, 0.5, options.traits)):
        path = photos.pop() if takes_photo(group) else None
        photo = read(path) if path else None
        rng = generator(options.seed, "stranger", i)
        image = photo if group is None else strangers.member(group, photo, rng,
                                                             theme(options, group, i))
        line = {"kind": "stranger", "attack": group or "plain", "strength": 1, "originals": []}
        yield {**line, **({"source": source(path, options.images)} if path else {})}, image


def check_numbers(options, photos, strange):
    """Ends the program where there are too few photographs; one must be left as a backdrop."""
    groups = options.traits
    share = min(0.5, max(len(groups) / max(1, options.originals), 1 / 6))
    originals = sum(map(takes_photo, plan(options.originals, share, groups)))
    others = sum(map(takes_photo, plan(options.strangers, 0.5, groups))) + (not options.strangers)
    for needed, found in ([(originals, photos), (others, strange)] if options.others
                          else [(originals + others, photos)]):
        if needed > len(found):
            sys.exit(f"copybench: {needed} photographs are needed, the half has {len(found)}")


def shuffled(options, half, used):
    """The photographs of a half that may be originals or strangers, in the seed's order."""
    found = photographs(options.images, half, options.split_seed)
    without = related(options.related, options.images)
    photos = [(content, path) for content, path in found.items()
              if content not in without and read(path) is not None]
    used.update(content for content, _ in photos)
    order = generator(options.seed, "order", half).permutation(len(photos))
    return [photos[i][1] for i in order]


def write_queries(options, queries):
    """Writes DIR/queries under names in random order, and DIR/truth.jsonl by name."""
    total = 1 << 24
    used, lines = set(), []
    names = generator(options.seed, "query names")
    for truth, image in queries:
        number = int(names.integers(0, total))
        while number in used:
            number = int(names.integers(0, total))
        used.add(number)
        name = f"queries/q{number:08}" + (".png" if truth["attack"] == "again" else drawn_ending(options))
        write(options.out / name, image)
        lines.append({"query": name, **truth})
    lines.sort(key=lambda line: line["query"])
    with open(options.out / "truth.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return lines


def new_bench(out):
    """Creates the folders of a bench; ends the program where something is there already."""
    if out.exists() and any(out.iterdir()):
        sys.exit(f"copybench: {out} is not empty")
    for folder in ("originals", "queries"):
        (out / folder).mkdir(parents=True, exist_ok=True)


def choose(options):
    """Makes lists of names of the options that are such; ends the program where one is unknown."""
    if options.attacks is None:
        alone = not options.compositions and not options.per_operation
        options.attacks = list(attacks.ATTACKS) if alone else []
    else:
        options.attacks = chosen("attacks", options.attacks, attacks.ATTACKS)
    options.families = chosen("families", options.families, operations.FAMILIES)
    options.traits = chosen("traits", options.traits, strangers.GROUPS)


def run(options):
    """Makes the bench; gives the exit code."""
    choose(options)
    used = set()
    photos = shuffled(options, options.half, used)
    strange = shuffled(options, "ba"["ab".index(options.half)], used) if options.others else photos
    check_numbers(options, photos, strange)
    new_bench(options.out)
    sources = write_originals(options, photos)
    pool = Pool(options.out, list(sources), list(strange))
    distractors, strange_queries, alike = write_distractors(options, used)
    duplicates = write_duplicates(options, pool.originals)
    queries = itertools.chain(copies(options, pool), operated(options, pool), composed(options, pool),
                              again(options, duplicates), stranger_queries(options, list(strange)), strange_queries)
    lines = write_queries(options, ((with_duplicates(line, duplicates), image)
                                    for line, image in queries))
    made = sum(line["kind"] == "copy" for line in lines)
    (options.out / "bench.json").write_text(json.dumps(
        {"made_by": "copybench make", "seed": options.seed, "half": options.half,
         "split_seed": options.split_seed, "photographs": len(used), "originals": len(sources),
         "distractors": distractors, "alike": alike, "copies": made, "strangers": len(lines) - made,
         "attacks": options.attacks, "families": options.families, "sources": sources},
        indent=1) + "\n")
    print(f"{options.out}: {len(sources)} originals, {distractors} distractors, {made} copies, "
          f"{len(lines) - made} strangers")
    return 0
