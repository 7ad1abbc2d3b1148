'use strict';
const $ = id => document.getElementById(id);
const PAGE_SIZE = 20;
const DECISIONS = {keep: 'keep', copy: 'copy', 'not-a-copy': 'not a copy'};
const SVG = 'http://www.w3.org/2000/svg';

// ---- The data: groups of members and pairs, as schema/report.md describes them.

const about = JSON.parse($('about').textContent);
const groups = [];
for (const script of document.querySelectorAll('script.group')) {
  groups.push(JSON.parse(script.textContent));
  script.remove();
}
const folderOf = path => path.slice(0, path.lastIndexOf('/') + 1);

/** The files of a member: the one that stands for it, then those of equal bytes. */
function filesOf(member) {
  const score = member.original ? 1 : member.score;
  return [member, ...member.equal_files.map(file => ({...member, ...file, original: false, score}))];
}

groups.forEach((group, index) => {
  group.index = index;
  group.copies = group.members.filter(member => !member.original);
  for (const member of group.members) {
    member.files = filesOf(member);
    for (const file of member.files) file.member = member;
  }
  group.files = group.members.flatMap(member => member.files);
  group.others = group.files.filter(file => !file.original);
  group.least = group.others.reduce((least, file) => Math.min(least, file.score), 1);
  group.saves = group.others.reduce((sum, file) => sum + file.bytes, 0);
  group.words = group.files.map(f => f.path + '\n' + f.relation).join('\n').toLowerCase();
});

/** The folder that all pictures are below: shown once, not with each path. */
function commonFolder() {
  let common = null;
  for (const group of groups) {
    for (const {path} of group.files) {
      const folder = folderOf(path);
      if (common === null) common = folder;
      while (!folder.startsWith(common)) common = folderOf(common.slice(0, -1));
    }
  }
  return common || '';
}
const common = commonFolder();
const shortPath = file => file.path.slice(common.length);

// ---- Decisions, kept in the browser until they are saved.

const storageKey = 'siftsearch ' + location.pathname;
let decisions = {};
try {
  decisions = JSON.parse(localStorage.getItem(storageKey)) || {};
} catch (ignored) {
  // A browser that stores nothing for files: decisions last as long as the page.
}
// Of the bytes, too: a file that has changed since is decided anew.
const nameOf = file => file.sha256 + ' ' + file.file;
const keyOf = (group, file) => nameOf(group.members[0]) + ' ' + nameOf(file);
const decisionOf = (group, file) => decisions[keyOf(group, file)] || '';

/** Decides files; `decision` gives that of each. */
function decide(group, files, decision) {
  for (const file of files) {
    const decided = decision(file);
    if (decided) decisions[keyOf(group, file)] = decided;
    else delete decisions[keyOf(group, file)];
  }
  try {
    localStorage.setItem(storageKey, JSON.stringify(decisions));
  } catch (ignored) {
    // As above.
  }
  sayTotals();
}

function csvField(text) {
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

/** The path as text, or, where its bytes are no UTF-8, their base64. */
function exactPath(file) {
  const bytes = Uint8Array.from(atob(file.file), c => c.charCodeAt(0));
  try {
    return [new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes), ''];
  } catch (error) {
    return [file.path, file.file];
  }
}

const areaOf = polygon => Math.abs(polygon.reduce((sum, [x, y], i) => {
  const [nextX, nextY] = polygon[(i + 1) % polygon.length];
  return sum + x * nextY - nextX * y;
}, 0)) / 2;

/** How much of a picture another contains (of several pages one was looked at), and how large it
 * shows that: per cent, rounded down to one decimal; null where the report has no pair of the two. Equal bytes are all, at full size. */
function containedIn(group, member, other) {
  if (member.sha256 && member.sha256 === other.sha256) return [100, 100];
  const index = group.members.indexOf(member), another = group.members.indexOf(other);
  const pair = group.pairs.find(p => (p.query === index && p.image === another) ||
                                     (p.image === index && p.query === another));
  if (!pair || member === other) return null;
  const own = areaOf(polygonOf(group, pair, member)), its = areaOf(polygonOf(group, pair, other));
  if (!(own > 0)) return null;
  const share = Math.min(1, own / (member.width * member.height)) / member.pages;
  const percent = x => Math.floor(x * 1000 + 1e-6) / 10;
  return [percent(share * (1 - pair.covered_percent / 100)), percent(Math.sqrt(its / own))];
}

/** Of a copy, what the pictures of its group that stay contain: "sha256:contained:scale …". */
function keptWords(group, member) {
  const isKept = file => decisionOf(group, file) === 'keep';
  const kept = group.members.filter(other => other !== member && other.files.some(isKept));
  return kept.map(other => [other.sha256, containedIn(group, member, other)])
    .filter(([sha256, contained]) => sha256 && contained)
    .map(([sha256, contained]) => [sha256, ...contained].join(':')).join(' ');
}

function decisionsCsv() {
  const rows = [['group', 'decision', 'path', 'sha256', 'original', 'original_sha256',
                 'path_base64', 'original_base64', 'contained_percent', 'scale_percent', 'in_kept']];
  for (const group of groups) {
    for (const member of group.members) {
      // Of files of equal bytes one that is kept is the original of the others.
      const kept = member.files.find(file => decisionOf(group, file) === 'keep');
      const contained = containedIn(group, member, group.members[0]) || ['', ''];
      for (const file of member.files) {
        const decision = decisionOf(group, file);
        if (!decision) continue;
        const original = decision === 'copy' && kept || group.members[0];
        const [path, pathBytes] = exactPath(file);
        const [originalPath, originalBytes] = exactPath(original);
        rows.push([String(group.group || ''), DECISIONS[decision], path, file.sha256,
                   originalPath, original.sha256, pathBytes, originalBytes,
                   ...(original === kept ? [100, 100] : contained).map(String),
                   decision === 'copy' ? keptWords(group, member) : '']);
      }
    }
  }
  return rows.map(row => row.map(csvField).join(',') + '\n').join('');
}

function saveDecisions() {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([decisionsCsv()], {type: 'text/csv'}));
  link.download = 'decisions.csv';
  link.click();
  URL.revokeObjectURL(link.href);
}

// ---- Which groups are shown, and in what order.

let shown = groups;
let page = 0;

function passes(group) {
  const least = Number($('least').value), most = Number($('most').value);
  const text = $('text').value.toLowerCase();
  const folder = $('folder').value, attribute = $('attribute').value;
  const decided = $('decided').value;
  if (!group.others.some(file => file.score >= least && file.score <= most)) return false;
  if (text && !group.words.includes(text)) return false;
  if (folder && !group.files.some(file => file.path.startsWith(folder))) return false;
  if (attribute && !group.files.some(file =>
    Object.entries(file.attributes).some(([key, value]) => key + '=' + value === attribute))) {
    return false;
  }
  const all = group.others.every(file => decisionOf(group, file));
  return !decided || (decided === 'yes') === all;
}

const ORDERS = {
  number: (a, b) => a.index - b.index,
  surest: (a, b) => b.least - a.least,
  unsure: (a, b) => a.least - b.least,
  largest: (a, b) => b.files.length - a.files.length,
  bytes: (a, b) => b.saves - a.saves,
};

function refilter() {
  shown = groups.filter(passes).sort(ORDERS[$('order').value]);
  page = 0;
  showPage();
}

function fillChoices() {
  const folders = new Set(), attributes = new Set();
  for (const group of groups) {
    for (const file of group.files) {
      folders.add(folderOf(file.path));
      for (const [key, value] of Object.entries(file.attributes)) attributes.add(key + '=' + value);
    }
  }
  for (const [id, values] of [['folder', folders], ['attribute', attributes]]) {
    for (const value of [...values].sort().slice(0, 1000)) $(id).append(new Option(value, value));
  }
}

// ---- Drawing.

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Points of the full picture in pixels of its thumbnail. */
const inThumbnail = (member, [x, y]) => [(x + 0.5) * member.size[0] / member.width,
                                         (y + 0.5) * member.size[1] / member.height];

function outline(member, polygon) {
  return svg('polygon', {points: polygon.map(point => inThumbnail(member, point).join()).join(' ')});
}

const polygonOf = (group, pair, member) =>
  group.members[pair.query] === member ? pair.query_polygon : pair.image_polygon;

/** The pair between two members, else the best pair of the first. */
function pairOf(group, member, other) {
  const index = group.members.indexOf(member), another = group.members.indexOf(other);
  const own = group.pairs.filter(pair => pair.query === index || pair.image === index);
  const direct = own.filter(pair => pair.query === another || pair.image === another);
  const candidates = direct.length ? direct : own;
  return candidates.reduce((best, pair) => !best || pair.score > best.score ? pair : best, null);
}

function pictureOf(group, member) {
  const box = make('div', 'picture');
  if (!member.thumbnail) {
    box.append(make('div', 'missing', member.problem || 'no picture'));
    return box;
  }
  const drawing = svg('svg', {viewBox: `0 0 ${member.size[0]} ${member.size[1]}`,
                              width: member.size[0], height: member.size[1], role: 'img'});
  drawing.append(svg('image', {href: member.thumbnail, width: member.size[0],
                               height: member.size[1]}));
  const original = group.members[0];
  const pairs = member === original
    ? group.copies.slice(0, 6).map(copy => pairOf(group, copy, original))
    : [pairOf(group, member, original)];
  for (const pair of pairs) {
    if (pair && [pair.query, pair.image].includes(group.members.indexOf(member))) {
      drawing.append(outline(member, polygonOf(group, pair, member)));
    }
  }
  box.append(drawing);
  return box;
}

function sizeWords(bytes) {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  while (bytes >= 1000 && unit < 3) {
    bytes /= 1000;
    ++unit;
  }
  return (unit ? bytes.toFixed(1) : bytes) + ' ' + units[unit];
}

function factsOf(member) {
  const date = member.taken ? 'taken ' + member.taken
    : new Date(member.modified * 1000).toISOString().slice(0, 10);
  const attributes = Object.entries(member.attributes).map(([key, value]) => key + '=' + value);
  const gone = member.gone ? ['file is gone'] : [];
  const pages = member.pages > 1 ? [`first of ${member.pages} pages`] : [];
  return [...gone, `${member.width} × ${member.height}`, ...pages, sizeWords(member.bytes), date, ...attributes]
    .join(' · ');
}

/** Shows what is decided of the file of a figure or of a row of its list. */
function showDecision(element) {
  const decision = decisionOf(element.group, element.file);
  element.classList.remove(...Object.keys(DECISIONS));
  if (decision) element.classList.add(decision);
  element.querySelector('.decision').textContent = DECISIONS[decision] || '';
}

function showDecisions(figure) {
  [figure, ...figure.querySelectorAll('li')].forEach(showDecision);
}

/** The files of equal bytes: the first, the others at a press of a button. */
const FIRST_FILES = 12;
function listOf(group, member) {
  const list = make('ul', 'files');
  const row = file => {
    const item = make('li');
    item.tabIndex = 0;
    item.group = group;
    item.file = file;
    item.append(make('span', 'decision'), ' ', make('bdi', 'path', shortPath(file)));
    if (file.relation !== 'identical file') item.append(make('span', 'words', file.relation));
    showDecision(item);
    return item;
  };
  const others = member.files.slice(1), rest = others.slice(FIRST_FILES);
  list.append(...others.slice(0, FIRST_FILES).map(row));
  if (!rest.length) return [list];
  const button = make('button', '', `${rest.length} more files`);
  button.addEventListener('click', () => {
    list.append(...rest.map(row));
    button.remove();
  });
  return [list, button];
}

function figureOf(group, member) {
  const figure = make('figure', member.original ? 'original' : '');
  figure.tabIndex = 0;
  figure.group = group;
  figure.file = member;
  const caption = make('figcaption');
  const path = make('bdi', 'path', shortPath(member));
  caption.append(make('span', 'decision'), ' ', make('span', 'words', member.relation));
  if (!member.original) caption.append(` ${member.score.toFixed(3)}`);
  caption.append(path, make('span', 'facts', factsOf(member)));
  const equal = member.files.length - 1;
  if (equal) {
    caption.append(make('span', 'words', ` · ${equal} identical ${equal === 1 ? 'file' : 'files'}:`),
                   ...listOf(group, member));
  }
  figure.append(pictureOf(group, member), caption);
  figure.addEventListener('dblclick', () => compare(group, member));
  showDecision(figure);
  return figure;
}

function groupTitle(group) {
  const files = group.files.length, different = group.members.length;
  const number = group.group ? `Group ${group.group}` : 'In no group';
  const count = `${files} pictures` + (different < files ? ` (${different} different)` : '');
  return `${number}: ${count}, weakest link ${group.weakest.toFixed(3)}`;
}

/** The pictures of a group; of a large one the first, the others at a press of a button. */
const FIRST_MEMBERS = 24;
function sectionOf(group) {
  const section = make('section', 'group');
  section.append(make('h2', '', groupTitle(group)));
  const members = make('div', 'members');
  members.append(...group.members.slice(0, FIRST_MEMBERS).map(m => figureOf(group, m)));
  section.append(members);
  const rest = group.members.slice(FIRST_MEMBERS);
  if (rest.length) {
    const button = make('button', '', `${rest.length} more`);
    button.addEventListener('click', () => {
      members.append(...rest.map(member => figureOf(group, member)));
      button.remove();
    });
    section.append(button);
  }
  return section;
}

function showPages() {
  const count = Math.max(1, Math.ceil(shown.length / PAGE_SIZE));
  for (const nav of document.querySelectorAll('.pages')) {
    const previous = make('button', '', '← previous (p)'), next = make('button', '', 'next (n) →');
    previous.disabled = page === 0;
    next.disabled = page + 1 >= count;
    previous.addEventListener('click', () => turnPage(-1));
    next.addEventListener('click', () => turnPage(1));
    const single = shown.filter(group => !group.group).length;
    const pairs = single ? `, ${single} pairs in no group` : '';
    nav.replaceChildren(previous, `page ${page + 1} of ${count}, ${shown.length - single} groups` +
      pairs, next);
  }
}

function showPage() {
  const first = page * PAGE_SIZE;
  $('groups').replaceChildren(...shown.slice(first, first + PAGE_SIZE).map(sectionOf));
  showPages();
  scrollTo(0, 0);
}

function turnPage(step) {
  const next = page + step;
  if (next < 0 || next * PAGE_SIZE >= shown.length) return;
  page = next;
  showPage();
  focusFigure(0);
}

function sayTotals() {
  const counts = Object.values(decisions).length;
  $('sentence').textContent = about.about + (counts ? `; ${counts} decided` : '');
  if (common.length > 1) $('sentence').append('; all below ', make('bdi', '', common));
  if (about.partial) {
    $('sentence').prepend(make('span', 'partial', 'Stopped before the end: this is a part. '));
  }
}

// ---- Comparing two pictures.

/** 3 × 3 matrices by rows. */
const product = (a, b) => a.map((row, i) => b[0].map((unused, j) =>
  row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]));

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [[e * i - f * h, c * h - b * i, b * f - c * e],
          [f * g - d * i, a * i - c * g, c * d - a * f],
          [d * h - e * g, b * g - a * h, a * e - b * d]].map(row => row.map(x => x / det));
}

/** From pixels of the full picture to those of its thumbnail, `zoom` times enlarged. */
function toThumbnail(member, zoom) {
  const x = member.size[0] / member.width * zoom, y = member.size[1] / member.height * zoom;
  return [[x, 0, x / 2], [0, y, y / 2], [0, 0, 1]];
}

function overlay(group, pair, member, other) {
  const box = $('overlay');
  box.replaceChildren();
  if (!pair.image_from_query || !member.thumbnail || !other.thumbnail) return;
  const zoom = Math.min(2, 0.42 * innerHeight / other.size[1], 0.85 * innerWidth / other.size[0]);
  const width = other.size[0] * zoom, height = other.size[1] * zoom;
  box.style.width = width + 'px';
  box.style.height = height + 'px';
  const base = make('img');
  base.src = other.thumbnail;
  base.style.width = width + 'px';
  base.style.height = height + 'px';
  const direct = group.members[pair.query] === member;
  const map = direct ? pair.image_from_query : inverse(pair.image_from_query);
  const m = product(toThumbnail(other, zoom), product(map, inverse(toThumbnail(member, 1))));
  const copy = make('img');
  copy.src = member.thumbnail;
  copy.style.transform = `matrix3d(${[m[0][0], m[1][0], 0, m[2][0], m[0][1], m[1][1], 0, m[2][1],
    0, 0, 1, 0, m[0][2], m[1][2], 0, m[2][2]].join()})`;
  const veil = make('div', 'veil');
  veil.append(copy);
  box.append(base, veil);
  slide();
}

function slide() {
  const veil = document.querySelector('#overlay .veil');
  if (veil) veil.style.clipPath = `inset(0 ${100 - $('slider').value}% 0 0)`;
}

function sides(group, pair, member, other, withLines) {
  const gap = 12;
  const height = Math.max(member.size[1], other.size[1]);
  const width = member.size[0] + gap + other.size[0];
  const drawing = svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img'});
  const left = svg('g', {}), right = svg('g', {transform: `translate(${member.size[0] + gap} 0)`});
  for (const [side, picture] of [[left, member], [right, other]]) {
    side.append(svg('image', {href: picture.thumbnail, width: picture.size[0],
                              height: picture.size[1]}));
    side.append(outline(picture, polygonOf(group, pair, picture)));
    drawing.append(side);
  }
  const direct = group.members[pair.query] === member;
  for (const [qx, qy, ix, iy] of withLines ? pair.points : []) {
    const [x1, y1] = inThumbnail(member, direct ? [qx, qy] : [ix, iy]);
    const [x2, y2] = inThumbnail(other, direct ? [ix, iy] : [qx, qy]);
    drawing.append(svg('line', {x1, y1, x2: x2 + member.size[0] + gap, y2}));
  }
  $('sides').replaceChildren(drawing);
}

let compared = null;
let withLines = false;

function compare(group, member) {
  const original = group.members[0];
  if (!group.copies.length) return;  // All files are identical.
  const subject = member === original ? group.members[1] : member;
  const pair = pairOf(group, subject, original);
  const query = group.members[pair.query];
  const other = query === subject ? group.members[pair.image] : query;
  compared = {group, pair, member: subject, other};
  withLines = false;
  $('compare-words').replaceChildren(make('bdi', 'path', shortPath(subject)),
    `${subject.relation} · score ${pair.score.toFixed(3)}; ${pair.because}`,
    make('bdi', 'path', shortPath(other)));
  sides(group, pair, subject, other, withLines);
  if (!$('compare').open) $('compare').showModal();
  overlay(group, pair, subject, other);
}

function toggleLines() {
  withLines = !withLines;
  sides(compared.group, compared.pair, compared.member, compared.other, withLines);
}

let blinking = 0;
function toggleBlink() {
  const veil = document.querySelector('#overlay .veil');
  clearInterval(blinking);
  blinking = blinking ? 0 : setInterval(() => {
    veil.hidden = !veil.hidden;
  }, 500);
  if (!veil) return;
  veil.hidden = false;
  veil.style.clipPath = 'none';
  if (!blinking) slide();
}

$('compare').addEventListener('close', () => {
  if (blinking) toggleBlink();
});

// ---- The keyboard.

const figures = () => [...document.querySelectorAll('figure')];

function focusFigure(index) {
  const all = figures();
  if (all.length) all[Math.max(0, Math.min(all.length - 1, index))].focus();
}

function move(step) {
  focusFigure(figures().indexOf(document.activeElement.closest('figure')) + step);
}

function moveGroup(step) {
  const sections = [...document.querySelectorAll('section.group')];
  const section = document.activeElement.closest('section.group');
  const next = sections[Math.max(0, sections.indexOf(section) + step)];
  if (next) next.querySelector('figure').focus();
}

/** Decides the file of a row, or all files of a figure. */
function decideHere(decision) {
  const here = document.activeElement.closest('figure, .files li');
  if (!here) return;
  const row = here.matches('li');
  decide(here.group, row ? [here.file] : here.file.files, () => decision);
  showDecisions(here.closest('figure'));
  if (row && here.nextElementSibling) here.nextElementSibling.focus();
  else move(1);
}

/** Keeps this one of the files of equal bytes; the others are copies. */
function keepOne() {
  const here = document.activeElement.closest('figure, .files li');
  if (!here) return;
  decide(here.group, here.file.member.files, file => file === here.file ? 'keep' : 'copy');
  showDecisions(here.closest('figure'));
  move(1);
}

/** Keeps the original; the others of the group are copies. */
function decideGroup() {
  const section = document.activeElement.closest('section.group');
  const figure = section && section.querySelector('figure');
  if (!figure) return;
  decide(figure.group, figure.group.files, file => file.original ? 'keep' : 'copy');
  section.querySelectorAll('figure').forEach(showDecisions);
  moveGroup(1);
}

const KEYS = {
  j: () => move(1), k: () => move(-1), J: () => moveGroup(1), K: () => moveGroup(-1),
  n: () => turnPage(1), p: () => turnPage(-1),
  o: () => decideHere('keep'), 1: () => decideHere('keep'),
  c: () => decideHere('copy'), 2: () => decideHere('copy'),
  x: () => decideHere('not-a-copy'), 3: () => decideHere('not-a-copy'),
  u: () => decideHere(''), 0: () => decideHere(''),
  a: decideGroup, s: keepOne,
  '?': () => $('help').showModal(),
  Enter: () => {
    const figure = document.activeElement.closest('figure');
    if (figure) compare(figure.group, figure.file);
  },
};
const COMPARE_KEYS = {b: toggleBlink, l: toggleLines};

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches('input, select')) return;
  if (event.target.matches('button') && [' ', 'Enter'].includes(event.key)) return;
  const keys = $('compare').open ? COMPARE_KEYS : $('help').open ? {} : KEYS;
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

// ---- Start.

$('title').textContent = document.title;
for (const id of ['least', 'most', 'text', 'folder', 'attribute', 'decided', 'order']) {
  $(id).addEventListener('input', refilter);
}
$('export').addEventListener('click', saveDecisions);
$('help-button').addEventListener('click', KEYS['?']);
$('slider').addEventListener('input', slide);
$('blink').addEventListener('click', toggleBlink);
$('lines').addEventListener('click', toggleLines);
$('close').addEventListener('click', () => $('compare').close());
$('filters').addEventListener('submit', event => event.preventDefault());
sayTotals();
fillChoices();
refilter();
