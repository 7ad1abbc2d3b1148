'use strict';
const $ = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const PAGE_SIZE = 48;
const REMOVAL_MS = 6000;
const POLL_MS = 500;
const TOP = 10;

// ---- Elements.

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(text, action) {
  const element = make('button', '', text);
  element.type = 'button';
  element.addEventListener('click', action);
  return element;
}

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const say = text => { $('status').textContent = text; };

/** Shows what went wrong until the next thing is done; '' when nothing did. */
function complain(text) {
  $('alert').textContent = text;
  $('alert').hidden = !text;
}

/** A handler whose errors are shown. */
const guarded = action => (...values) => Promise.resolve().then(() => action(...values))
  .catch(error => complain(error.message));

const plural = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;

// ---- The server.

const BASE = new URL('v1', document.baseURI).href;
const TOKEN = 'siftsearch token';
const token = () => sessionStorage.getItem(TOKEN) || '';

async function detailOf(answer) {
  try {
    const problem = await answer.json();
    return [problem.input, problem.detail || problem.title].filter(Boolean).join(': ');
  } catch (ignored) {
    return `The server answered ${answer.status} ${answer.statusText}`;
  }
}

async function send(path, options) {
  const headers = {...options.headers};
  if (token()) headers.Authorization = 'Bearer ' + token();
  try {
    return await fetch(BASE + path, {...options, headers});
  } catch (ignored) {
    throw new Error('The server does not answer.');
  }
}

/** Asks the server; an Error has the detail of its problem, and the status of HTTP. */
async function ask(path, options = {}) {
  const used = token();
  const answer = await send(path, options);
  if (answer.ok) return answer;
  if (answer.status === 401 && (used !== token() || await askForToken(used))) {
    return ask(path, options);
  }
  throw Object.assign(new Error(await detailOf(answer)), {status: answer.status});
}

const get = async path => (await ask(path)).json();
const JSON_TYPE = {'Content-Type': 'application/json'};
const post = async (path, value) => (await ask(path, {
  method: 'POST', headers: JSON_TYPE, body: JSON.stringify(value)})).json();

let asking = null;
/** Asks for a token, once for all requests that wait; false where none was given. */
function askForToken(used) {
  asking = asking || new Promise(resolve => {
    const dialog = $('token-dialog');
    $('token-note').textContent = used ? 'The token so far is not valid (any more).' : '';
    $('token').value = '';
    dialog.returnValue = '';
    dialog.addEventListener('close', () => {
      const given = dialog.returnValue === 'use' && $('token').value.trim();
      if (given) sessionStorage.setItem(TOKEN, given);
      asking = null;
      resolve(Boolean(given));
    }, {once: true});
    dialog.showModal();
  });
  return asking;
}

/** A path in an address: its bytes, escaped but for slashes; also of one that is not UTF-8. */
function escapedKey(image) {
  if (!image.path_base64) return image.path.split('/').map(encodeURIComponent).join('/');
  return [...atob(image.path_base64)].map(c => /[\w.~/-]/.test(c) ? c
    : '%' + c.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()).join('');
}

const inCollection = (collection, rest) => `/collections/${encodeURIComponent(collection)}${rest}`;
const here = rest => inCollection(state.collection, rest);

/** A few tasks at a time. */
async function inTurn(items, task) {
  const left = [...items];
  const worker = async () => {
    while (left.length) await task(left.shift());
  };
  await Promise.all([worker(), worker()]);
}

// ---- Pictures.

const KEPT_PREVIEWS = 400;
const previews = new Map();

/** Where the preview of a stored picture is. A token can't go with the address of an <img>. */
async function previewOf(collection, image) {
  const path = inCollection(collection, '/previews/' + escapedKey(image));
  if (!token()) return BASE + path;
  if (!previews.has(path)) {
    previews.set(path, ask(path).then(async answer => URL.createObjectURL(await answer.blob())));
    if (previews.size > KEPT_PREVIEWS) {
      const [oldest, url] = previews.entries().next().value;
      previews.delete(oldest);
      url.then(URL.revokeObjectURL, () => {});
    }
  }
  return previews.get(path);
}

/** A picture with a region outlined, in the picture's own pixels; `url` may be promised. */
function framed(side, height) {
  const box = make('div', 'picture');
  const missing = words => box.replaceChildren(make('div', 'missing', words));
  if (!side.url) {
    missing('not shown');
    return box;
  }
  const frame = make('div', 'frame');
  const ratio = side.width / side.height;
  frame.style.aspectRatio = `${side.width} / ${side.height}`;
  frame.style.width = `min(100%, ${height * ratio}px)`;
  frame.style.maxHeight = '100%';
  const picture = make('img');
  picture.alt = side.name;
  picture.loading = 'lazy';
  picture.addEventListener('error', () => missing('the browser can’t show this picture'));
  Promise.resolve(side.url).then(url => { picture.src = url; }, error => missing(error.message));
  frame.append(picture);
  if (side.polygon && side.polygon.length) {
    const drawing = svg('svg', {viewBox: `-0.5 -0.5 ${side.width} ${side.height}`,
                                preserveAspectRatio: 'none', 'aria-hidden': 'true'});
    drawing.append(svg('polygon', {points: side.polygon.map(point => point.join()).join(' ')}));
    frame.append(drawing);
  }
  box.append(frame);
  return box;
}

const HEIGHT = matchMedia('(max-width: 600px)').matches ? 130 : 190;

/** A stored picture as a side of a comparison. */
const storedSide = (collection, image, polygon) => ({
  name: image.path, width: image.width, height: image.height, sha256: image.sha256, polygon,
  url: previewOf(collection, image), stored: true});

// ---- Notices that can be undone.

const undoable = [];

/** A notice with an Undo button; `close` takes it away, `undo` does what the button does. */
function offerUndo(words, undo) {
  const toast = make('div', 'toast');
  const offer = {undo: () => {
    offer.close();
    return undo();
  }, close: () => {
    toast.remove();
    const at = undoable.indexOf(offer);
    if (at >= 0) undoable.splice(at, 1);
  }};
  toast.append(make('span', '', words), button('Undo (z)', guarded(offer.undo)));
  $('toasts').append(toast);
  undoable.push(offer);
  return offer;
}

// ---- Decisions about two pictures.

const VERDICTS = {confirmed: 'Copy', not_a_copy: 'Not a copy'};
let lastVerdict = null;

async function storeVerdict(pair, verdict) {
  await post(inCollection(pair.collection, '/verdicts'),
             {verdicts: [{a: pair.left.sha256, b: pair.right.sha256, verdict: verdict || 'none'}]});
  pair.verdict = verdict;
  pair.bars.forEach(bar => showVerdict(bar, pair));
}

/** Decides that two pictures are copies or none; null takes a decision back. */
async function decide(pair, verdict) {
  complain('');
  const before = pair.verdict;
  if (before === verdict) return;
  if (!pair.left.sha256 || !pair.right.sha256) {
    throw new Error('A decision needs the SHA-256 of both pictures, which is not known here.');
  }
  await storeVerdict(pair, verdict);
  if (lastVerdict) lastVerdict.close();
  const words = verdict ? `Decided: ${VERDICTS[verdict].toLowerCase()}.` : 'Decision taken back.';
  lastVerdict = offerUndo(`${words} ${pair.right.name}`, () => storeVerdict(pair, before));
}

function showVerdict(bar, pair) {
  for (const choice of bar.children) {
    choice.setAttribute('aria-pressed', String(choice.dataset.verdict === pair.verdict));
  }
}

function verdictBar(pair) {
  const bar = make('span', 'actions');
  // Of equal bytes there is nothing to decide.
  if (pair.left.sha256 && pair.left.sha256 === pair.right.sha256) return bar;
  for (const [verdict, words] of Object.entries(VERDICTS)) {
    const choice = button(words, guarded(() =>
      decide(pair, pair.verdict === verdict ? null : verdict)));
    choice.dataset.verdict = verdict;
    bar.append(choice);
  }
  pair.bars.push(bar);
  showVerdict(bar, pair);
  return bar;
}

// ---- Cards: two pictures and what connects them.

const KINDS = {copy: 'copy', same_scene: 'same scene, not a copy',
               shared_overlay: 'only a shared overlay', unclear: 'unclear'};
// Rounded down, so that 100 % is only what is certain.
const percent = score => Math.floor(score * 1000 + 1e-6) / 10 + ' %';

function sidesOf(pair) {
  const two = make('div', 'two');
  for (const side of [pair.left, pair.right]) {
    const column = make('div');
    column.append(framed(side, HEIGHT), make('div', 'side', side.stored ? 'stored' : 'yours'));
    two.append(column);
  }
  return two;
}

function wordsOf(match) {
  const line = make('div');
  const sureness = `${KINDS[match.kind] || match.kind}, ${percent(match.score)}`;
  line.append(make('span', 'sureness', sureness), ' · ' + (match.relation || 'no fit found'));
  return line;
}

const attributesOf = image =>
  Object.entries(image.attributes || {}).map(([key, value]) => `${key}=${value}`);

function factsOf(match) {
  return make('div', 'facts', [match.because, ...attributesOf(match)].filter(Boolean).join(' · '));
}

/** A card of a pair; `more` are further buttons. */
function cardOf(pair, ...more) {
  const card = make('article', 'card ' + (pair.match.copy ? 'copy' : 'unsure'));
  card.tabIndex = 0;
  card.pair = pair;
  card.setAttribute('aria-label', `${pair.right.name}: ${pair.match.relation || pair.match.kind}`);
  const names = pair.left.stored ? [pair.left.name, pair.right.name] : [pair.right.name];
  const actions = make('div', 'actions');
  actions.append(button('Compare', () => compare(pair)), verdictBar(pair), ...more);
  card.append(sidesOf(pair), wordsOf(pair.match),
              ...names.map(name => make('bdi', 'path', name)), factsOf(pair.match), actions);
  return card;
}

// ---- Searching.

let search = 0;  // The search whose results are shown.
const shownUrls = [];  // Of the files that were searched for last.

const subjectOfFile = file => {
  const url = URL.createObjectURL(file);
  shownUrls.push(url);
  const type = file.type.startsWith('image/') ? file.type : 'application/octet-stream';
  return {name: file.name || 'pasted picture', url, headers: {'Content-Type': type}, body: file};
};
const subjectOfJson = (name, value, url) => ({
  name, url, headers: JSON_TYPE, body: JSON.stringify(value)});

const subjectOfStored = image => ({
  ...subjectOfJson(image.path, {key: image.path}, previewOf(state.collection, image)),
  stored: image});

async function query(collection, subject, points) {
  // A stored picture finds itself, too.
  const top = TOP + (subject.stored ? 1 : 0);
  const answer = await ask(inCollection(collection, `/query?top=${top}&points=${points}`), {
    method: 'POST', headers: subject.headers, body: subject.body});
  const result = (await answer.json()).results[0];
  if (result.error) throw new Error(result.error);
  return result;
}

/** SHA-256 of a file, where the server did not tell and the browser may; else null. */
async function hashOf(subject) {
  if (subject.stored) return subject.stored.sha256;
  if (!(subject.body instanceof Blob) || !crypto.subtle) return null;
  const bytes = await crypto.subtle.digest('SHA-256', await subject.body.arrayBuffer());
  return [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

/** A match and what is needed to show it. */
async function pairOf(collection, subject, result, match) {
  const image = await get(inCollection(collection, '/images/' + escapedKey(match)));
  const left = {name: subject.name, url: subject.url, width: result.width, height: result.height,
                polygon: match.query_polygon, stored: Boolean(subject.stored),
                sha256: result.sha256 || await hashOf(subject)};
  const points = async () => {
    const again = await query(collection, subject, 1);
    const same = again.matches.find(other => other.id === match.id);
    return same && same.points || [];
  };
  return {collection, match, left, right: storedSide(collection, image, match.image_polygon),
          points, verdict: match.verdict, bars: [], image};
}

const foundWords = copies =>
  copies ? plural(copies, 'picture') + ' with copied content' : 'no copy found';

async function showResult(section, collection, subject, result) {
  const matches = result.matches.filter(match => !subject.stored || match.id !== subject.stored.id);
  const cards = await Promise.all(matches.slice(0, TOP).map(async match => {
    const pair = await pairOf(collection, subject, result, match);
    return cardOf(pair, button('Find copies of this', () => findCopies(pair.image)));
  }));
  const copies = cards.filter(card => card.pair.match.copy);
  const others = cards.filter(card => !card.pair.match.copy);
  const list = make('div', 'cards');
  list.append(...copies);
  section.append(make('p', '', foundWords(copies.length)), list);
  if (others.length) {
    const less = make('details'), rest = make('div', 'cards');
    less.append(make('summary', '', `${others.length} less sure`), rest);
    rest.append(...others);
    section.append(less);
  }
  return copies.length;
}

/** Searches for pictures and shows what is found, a section for each. */
async function searchFor(subjects) {
  complain('');
  const number = ++search, collection = state.collection;
  const sections = subjects.map(subject => {
    const section = make('section', 'group');
    section.setAttribute('aria-label', subject.name);
    section.append(make('h2', '', subject.name));
    return section;
  });
  $('results').replaceChildren(...sections);
  say(`Searching for ${plural(subjects.length, 'picture')} …`);
  let copies = 0, failed = 0;
  await inTurn(subjects.keys(), async i => {
    if (number !== search) return;
    const section = sections[i];
    section.setAttribute('aria-busy', 'true');
    try {
      const result = await query(collection, subjects[i], 0);
      const found = await showResult(section, collection, subjects[i], result);
      copies += found;
    } catch (error) {
      ++failed;
      section.append(make('p', 'error', error.message));
    }
    section.removeAttribute('aria-busy');
  });
  if (number !== search) return;
  say(`${plural(subjects.length, 'picture')} searched for: ${foundWords(copies)}` +
      (failed ? `; ${failed} failed` : ''));
}

function searchFiles(files) {
  shownUrls.splice(0).forEach(URL.revokeObjectURL);
  return searchFor(files.map(subjectOfFile));
}

async function findCopies(image) {
  await go({view: 'search'});
  await searchFor([subjectOfStored(image)]);
  const card = document.querySelector('#results .card');
  if (card) card.focus();
}

// ---- Browsing.

const browse = {starts: [0], next: null, number: 0};

function sizeWords(bytes) {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  for (; bytes >= 1000 && unit < 3; ++unit) bytes /= 1000;
  return (unit ? bytes.toFixed(1) : bytes) + ' ' + units[unit];
}

function figureOf(image) {
  const figure = make('figure');
  figure.tabIndex = 0;
  figure.image = image;
  const caption = make('figcaption');
  const facts = [`${image.width} × ${image.height}`, sizeWords(image.file_bytes),
                 ...attributesOf(image)];
  const actions = make('div', 'actions');
  actions.append(button('Find copies', guarded(() => findCopies(image))),
                 button('Remove', () => removeLater(state.collection, image, figure)));
  caption.append(make('bdi', 'path', image.path), make('span', 'facts', facts.join(' · ')),
                 actions);
  figure.append(framed(storedSide(state.collection, image, []), HEIGHT), caption);
  return figure;
}

/** Shows the page of the grid that the last cursor begins. */
async function showImages() {
  const number = ++browse.number;
  const after = browse.starts[browse.starts.length - 1];
  const where = encodeURIComponent($('where').value);
  $('grid').setAttribute('aria-busy', 'true');
  try {
    const page = await get(here(`/images?limit=${PAGE_SIZE}&after=${after}&where=${where}`));
    if (number !== browse.number) return;
    browse.next = page.next;
    $('grid').replaceChildren(...page.images.map(figureOf));
    $('page-words').textContent = `page ${browse.starts.length}`;
    say(page.images.length ? `${plural(page.images.length, 'picture')} on this page`
      : 'No picture here.');
  } finally {
    $('previous').disabled = browse.starts.length < 2;
    $('next').disabled = browse.next === null;
    $('grid').removeAttribute('aria-busy');
  }
}

async function turnPage(step) {
  const last = step > 0 ? browse.next === null : browse.starts.length < 2;
  if (state.view !== 'browse' || last) return;
  if (step > 0) browse.starts.push(browse.next);
  else browse.starts.pop();
  await showImages();
  scrollTo(0, 0);
  const first = $('grid').querySelector('figure');
  if (first) first.focus();
}

function showFirstPage() {
  Object.assign(browse, {starts: [0], next: null});
  return showImages();
}

/** Removes a picture unless that is undone in time: what was removed can't be had back. */
function removeLater(collection, image, figure) {
  complain('');
  const next = figure.nextElementSibling || figure.previousElementSibling;
  if (next) next.focus();
  figure.hidden = true;
  const showAgain = () => {
    figure.hidden = false;
    if (figure.isConnected) figure.focus();
  };
  const timer = setTimeout(guarded(async () => {
    offer.close();
    try {
      await ask(inCollection(collection, '/images/' + escapedKey(image)), {method: 'DELETE'});
    } catch (error) {
      showAgain();
      throw error;
    }
    await listCollections();
  }), REMOVAL_MS);
  const offer = offerUndo(`Removing ${image.path} …`, () => {
    clearTimeout(timer);
    showAgain();
  });
}

// ---- Adding.

const adding = {given: 0, done: 0, failed: 0};

function showAdding() {
  $('add-line').hidden = false;
  $('add-progress').max = adding.given;
  $('add-progress').value = adding.done;
  $('add-words').textContent = `${adding.done} of ${plural(adding.given, 'picture')}` +
    (adding.failed ? `, ${adding.failed} not added` : '');
}

async function put(collection, key, file, headers) {
  const answer = await ask(inCollection(collection, '/images/' + escapedKey({path: key})), {
    method: 'PUT', body: file,
    headers: {...headers, 'Content-Type': file.type || 'application/octet-stream'}});
  return answer.json();
}

/** Adds a file and says how that went; another picture of this name is not replaced unasked. */
async function addOne(collection, file, row, headers) {
  const key = file.name;
  const tell = (...parts) => row.replaceChildren(make('bdi', 'path', key), ': ', ...parts);
  try {
    const outcome = await put(collection, key, file, headers);
    if (outcome.action === 'failed') throw new Error(outcome.reason);
    tell(outcome.action + (outcome.reason ? ` (${outcome.reason})` : ''));
  } catch (error) {
    ++adding.failed;
    const again = button('Replace it', guarded(async () => {
      --adding.failed;
      await addOne(collection, file, row, {});
      showAdding();
    }));
    if (error.status === 412) tell('there is a picture of this name already ', again);
    else tell(make('span', 'error', error.message));
  }
}

async function addFiles(files) {
  complain('');
  const collection = state.collection;
  $('adding').open = true;
  if (adding.done === adding.given) {
    Object.assign(adding, {given: 0, done: 0, failed: 0});
    $('outcomes').replaceChildren();
  }
  adding.given += files.length;
  showAdding();
  await inTurn(files, async file => {
    const row = make('li');
    await addOne(collection, file, row, {'If-None-Match': '*'});
    $('outcomes').append(row);
    ++adding.done;
    showAdding();
  });
  if (adding.done < adding.given) return;
  await listCollections();
  if (state.view === 'browse') await showFirstPage();
  say(`${plural(adding.given - adding.failed, 'picture')} added, ${adding.failed} not`);
}

// ---- Groups.

const MOST_AT_ONCE = 200;
const RUNNING = ['queued', 'running'];
const report = {id: '', after: 0, shown: 0, allowed: MOST_AT_ONCE, timer: 0, groups: new Map()};

async function startReport() {
  complain('');
  const job = await post(here('/reports'),
                         {min_score: Number($('least').value), where: $('report-where').value});
  go({view: 'groups', job: job.id});
}

function jobWords(job) {
  const found = `${plural(job.pairs, 'pair')}, ${plural(job.groups, 'group')}`;
  return [job.state, job.total ? `${job.done} of ${job.total} pictures` : '', found]
    .filter(Boolean).join(', ') + (job.problem ? `: ${problemWords(job.problem)}` : '');
}

const problemWords = problem => problem.detail || problem.title || String(problem);

/** The reports of the collection, the newest first. */
async function listJobs() {
  const all = (await get('/jobs')).jobs;
  const own = all.filter(job => job.kind === 'report' && job.collection === state.collection);
  $('jobs').replaceChildren(...own.reverse().slice(0, 20).map(job => {
    const row = make('li'), link = make('a', '', new Date(job.made * 1000).toLocaleString());
    link.href = hashOfState({...state, view: 'groups', job: job.id});
    if (job.id === state.job) link.setAttribute('aria-current', 'true');
    row.append(link, ' · ' + jobWords(job));
    return row;
  }));
}

function showJob(job) {
  $('job').hidden = false;
  $('job-words').textContent = jobWords(job);
  $('job-progress').hidden = $('stop').hidden = !RUNNING.includes(job.state);
  if (job.total) {
    $('job-progress').max = job.total;
    $('job-progress').value = job.done;
  } else {
    $('job-progress').removeAttribute('value');
  }
}

/** The section of a pair's group; pairs that are in none share one. */
function groupSection(number) {
  const key = number || 0;
  if (!report.groups.has(key)) {
    const section = make('section', 'group'), cards = make('div', 'cards');
    section.append(make('h2', '', key ? `Group ${key}` : 'In no group'), cards);
    report.groups.set(key, cards);
    $('pairs').append(section);
  }
  return report.groups.get(key);
}

/** The picture of a side of a pair of a report, as the API lists one. */
const imageOfPair = (pair, side) => ({...pair[side + '_file'], id: pair[side + '_id'],
  path: pair[side], path_base64: pair[side + '_base64']});

function cardOfLine(collection, line) {
  const pair = {
    collection, match: line, verdict: line.verdict, bars: [], points: async () => line.points,
    left: storedSide(collection, imageOfPair(line, 'query'), line.query_polygon),
    right: storedSide(collection, imageOfPair(line, 'image'), line.image_polygon)};
  return cardOf(pair);
}

/** Shows results of the report from where it was left. True where there may be more now. */
async function showPairs(id, collection) {
  const answer =
    await get(`/jobs/${encodeURIComponent(id)}/results?after=${report.after}&limit=100`);
  if (report.id !== id) return false;
  report.after = answer.next === null ? report.after + answer.results.length : answer.next;
  for (const line of answer.results.filter(result => result.query_file)) {
    groupSection(line.group).append(cardOfLine(collection, line));
    ++report.shown;
  }
  $('more-pairs').hidden = report.shown < report.allowed;
  return answer.next !== null && answer.results.length > 0;
}

/** Follows a job until its end, showing what it finds up to what is allowed. */
async function follow(id) {
  const job = await get(`/jobs/${encodeURIComponent(id)}`);
  if (report.id !== id) return;
  showJob(job);
  let more = job.pairs > 0 && report.shown < report.allowed;
  while (more) more = await showPairs(id, job.collection) && report.shown < report.allowed;
  if (report.id !== id) return;
  if (RUNNING.includes(job.state)) {
    report.timer = setTimeout(guarded(() => follow(id)), POLL_MS);
    return;
  }
  say(`Report ${jobWords(job)}`);
  await listJobs();
}

function leaveReport() {
  clearTimeout(report.timer);
  Object.assign(report, {id: '', after: 0, shown: 0, allowed: MOST_AT_ONCE, groups: new Map()});
  $('pairs').replaceChildren();
  $('job').hidden = $('more-pairs').hidden = true;
}

async function showReport() {
  leaveReport();
  report.id = state.job;
  await listJobs();
  if (report.id) await follow(report.id);
}

async function stopReport() {
  showJob(await post(`/jobs/${encodeURIComponent(report.id)}/stop`, {}));
}

function showMorePairs() {
  report.allowed += MOST_AT_ONCE;
  clearTimeout(report.timer);
  return follow(report.id);
}

// ---- Which collection and view are shown: the part of the address behind "#".

const state = {collection: '', view: 'search', job: ''};
const VIEWS = ['search', 'browse', 'groups'];
const about = {fetch: false, tokens: false};
let collections = [];

const hashOfState = ({collection, view, job}) =>
  '#' + [collection, view, ...(view === 'groups' && job ? [job] : [])]
    .map(encodeURIComponent).join('/');

/** Goes to another view, or collection. */
function go(change) {
  history.pushState(null, '', hashOfState({...state, job: '', ...change}));
  return showState();
}

function readState() {
  const words = location.hash.slice(1).split('/').map(word => {
    try {
      return decodeURIComponent(word);
    } catch (ignored) {
      return '';
    }
  });
  const names = collections.map(({name}) => name);
  return {collection: names.includes(words[0]) ? words[0] : names[0] || '',
          view: VIEWS.includes(words[1]) ? words[1] : 'search', job: words[2] || ''};
}

const showState = guarded(async () => {
  const before = {...state};
  Object.assign(state, readState());
  $('collection').value = state.collection;
  for (const view of VIEWS) $(view).hidden = view !== state.view;
  for (const link of document.querySelectorAll('#views a')) {
    link.href = hashOfState({...state, view: link.dataset.view, job: ''});
    if (link.dataset.view === state.view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (before.collection !== state.collection) {
    ++search;
    $('results').replaceChildren();
  }
  leaveReport();
  complain('');
  if (!state.collection) return;
  if (state.view === 'search') say(describedCollection());
  if (state.view === 'browse') await showFirstPage();
  if (state.view === 'groups') await showReport();
});

function describedCollection() {
  const shown = collections.find(({name}) => name === state.collection);
  return shown ? shown.problem || `${plural(shown.images, 'picture')} in ${shown.name}` : '';
}

async function listCollections() {
  collections = (await get('/collections')).collections;
  $('collection').replaceChildren(...collections.map(({name, images}) =>
    new Option(`${name} (${images === undefined ? 'damaged' : images.toLocaleString('en')})`,
               name)));
  $('collection').value = state.collection;
  if (!collections.length) say('There is no collection yet.');
}

// ---- The keyboard.

const shownItems = () => [...document.querySelectorAll('.card, figure')]
  .filter(item => item.offsetParent !== null);

function move(step) {
  const items = shownItems();
  const at = items.indexOf(document.activeElement.closest('.card, figure'));
  const next = items[Math.max(0, Math.min(items.length - 1, at + step))];
  if (next) next.focus();
}

/** Decides the pair that is compared, or the card that has the focus. */
const decideHere = verdict => guarded(async () => {
  const card = document.activeElement.closest('.card');
  const pair = compared || card && card.pair;
  if (pair) await decide(pair, verdict);
});

function open() {
  const item = document.activeElement.closest('.card, figure');
  if (!item) return undefined;
  return item.pair ? compare(item.pair) : findCopies(item.image);
}

const undoLast = () => undoable.length && undoable[undoable.length - 1].undo();

const DECIDING = {c: decideHere('confirmed'), 2: decideHere('confirmed'),
                  x: decideHere('not_a_copy'), 3: decideHere('not_a_copy'),
                  u: decideHere(null), 0: decideHere(null), z: guarded(undoLast)};
const KEYS = {...DECIDING, j: () => move(1), k: () => move(-1), n: guarded(() => turnPage(1)),
              p: guarded(() => turnPage(-1)), Enter: guarded(open),
              '?': () => $('help').showModal()};
const COMPARE_KEYS = {...DECIDING, s: () => setMode('sides'), l: () => setMode('slider'),
                      b: () => setMode('blink'), '+': () => zoomBy(1.5), '=': () => zoomBy(1.5),
                      '-': () => zoomBy(1 / 1.5), p: () => $('points').click()};

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const target = event.target;
  const typed = 'select, input:not([type=radio], [type=checkbox], [type=range], [type=file])';
  if (target.matches(typed)) return;
  if (event.key === 'Enter' && target.matches('button, a, summary, input')) return;
  const shown = document.querySelector('dialog[open]');
  const keys = !shown ? KEYS : shown.id === 'compare' ? COMPARE_KEYS : {};
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}

// ---- Pictures that are dropped, pasted or chosen.

/** Searches for files, or adds them where the collection is browsed. */
async function take(files) {
  if (!files.length || document.querySelector('dialog[open]')) return;
  if (!state.collection) throw new Error('There is no collection to search.');
  if (state.view === 'browse') return addFiles(files);
  if (state.view !== 'search') await go({view: 'search'});
  return searchFiles(files);
}

const searchAddress = url => searchFor([subjectOfJson(url, {url}, null)]);

async function onPaste(event) {
  if (event.target.matches('input')) return;
  const files = [...event.clipboardData.files];
  const text = event.clipboardData.getData('text').trim();
  const address = about.fetch && state.view === 'search' && /^https?:\/\//.test(text);
  if (files.length) await take(files);
  else if (address) await searchAddress(text);
}

function onDrag(event) {
  if (![...event.dataTransfer.types].includes('Files')) return;
  event.preventDefault();
  document.body.classList.toggle('over', event.type === 'dragover');
}

/** Takes the files of an input, which may then be given the same ones again. */
const chosen = action => guarded(event => {
  const files = [...event.target.files];
  event.target.value = '';
  return action(files);
});

const submitted = action => guarded(event => {
  event.preventDefault();
  return action();
});

// ---- Start.

async function start() {
  Object.assign(about, await get(''));
  $('address-form').hidden = !about.fetch;
  $('token-button').hidden = !about.tokens;
  await listCollections();
  await showState();
}

function listen(id, type, action) {
  $(id).addEventListener(type, action);
}

function listenToSearches() {
  listen('files', 'change', chosen(take));
  listen('camera', 'change', chosen(take));
  listen('address-form', 'submit', submitted(() => searchAddress($('address').value)));
  document.addEventListener('paste', guarded(onPaste));
  for (const type of ['dragover', 'dragleave']) document.addEventListener(type, onDrag);
  document.addEventListener('drop', event => {
    onDrag(event);
    guarded(take)([...event.dataTransfer.files]);
  });
}

function listenToCollections() {
  listen('collection', 'change', () => go({collection: $('collection').value}));
  listen('add-files', 'change', chosen(addFiles));
  listen('where-form', 'submit', submitted(() => (complain(''), showFirstPage())));
  listen('previous', 'click', guarded(() => turnPage(-1)));
  listen('next', 'click', guarded(() => turnPage(1)));
  listen('report-form', 'submit', submitted(startReport));
  listen('stop', 'click', guarded(stopReport));
  listen('more-pairs', 'click', guarded(showMorePairs));
}

listenToSearches();
listenToCollections();
listenToComparing();
listen('token-button', 'click', guarded(async () => await askForToken('') && start()));
listen('help-button', 'click', () => $('help').showModal());
document.addEventListener('keydown', onKey);
addEventListener('popstate', showState);
guarded(start)();
