'use strict';
// The dialog that compares two pictures; page.js has the rest of the page.

const MOST_ZOOM = 16;
let compared = null;
let zoom = 1;
let blinking = 0;
let points = null;

/** 3 × 3 matrices by rows. */
const product = (a, b) => a.map(row => b[0].map((unused, j) =>
  row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]));

const mode = () => document.querySelector('input[name=mode]:checked').value;

/** Sizes that fit the stage, enlarged by the zoom. */
function fitted(width, height) {
  const stage = $('stage');
  const scale = Math.min((stage.clientWidth - 4) / width, (stage.clientHeight - 4) / height) * zoom;
  return [width * scale, height * scale];
}

/** Where the two pictures lie in one drawing: beside each other, or on a narrow screen below. */
function placesOf({left, right}) {
  const gap = 12, unit = 400, stacked = $('stage').clientWidth < 600;
  const scale = side => unit / (stacked ? side.width : side.height);
  const [a, b] = [scale(left), scale(right)];
  const below = left.height * a + gap, beside = left.width * a + gap;
  return stacked
    ? {a, b, x: 0, y: below, width: unit, height: below + right.height * b}
    : {a, b, x: beside, y: 0, width: beside + right.width * b, height: unit};
}

function drawSides() {
  const {left, right} = compared, place = placesOf(compared);
  const [width, height] = fitted(place.width, place.height);
  const drawing = svg('svg', {viewBox: `0 0 ${place.width} ${place.height}`, width, height});
  const groups = [[left, `scale(${place.a})`],
                  [right, `translate(${place.x} ${place.y}) scale(${place.b})`]];
  for (const [side, transform] of groups) {
    const group = svg('g', {transform: transform + ' translate(0.5 0.5)'});
    if (side.shownUrl) {
      group.append(svg('image', {href: side.shownUrl, x: -0.5, y: -0.5, width: side.width,
                                 height: side.height, preserveAspectRatio: 'none'}));
    }
    group.append(svg('polygon', {points: side.polygon.map(point => point.join()).join(' ')}));
    drawing.append(group);
  }
  for (const [qx, qy, ix, iy] of points || []) {
    drawing.append(svg('line', {
      x1: (qx + 0.5) * place.a, y1: (qy + 0.5) * place.a,
      x2: place.x + (ix + 0.5) * place.b, y2: place.y + (iy + 0.5) * place.b}));
  }
  $('stage').replaceChildren(drawing);
}

/** Lays the left picture over the right one, as image_from_query says. */
function drawOverlay() {
  const {left, right, match} = compared;
  const [width, height] = fitted(right.width, right.height);
  const box = make('div'), base = make('img'), veil = make('div', 'veil'), copy = make('img');
  box.id = 'overlay';
  box.style.width = base.style.width = width + 'px';
  box.style.height = base.style.height = height + 'px';
  base.src = right.shownUrl;
  base.alt = copy.alt = '';
  const x = width / right.width, y = height / right.height;
  const m = product([[x, 0, x / 2], [0, y, y / 2], [0, 0, 1]],
                    product(match.image_from_query, [[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]));
  copy.src = left.shownUrl;
  copy.style.width = left.width + 'px';
  copy.style.height = left.height + 'px';
  copy.style.transform = `matrix3d(${[m[0][0], m[1][0], 0, m[2][0], m[0][1], m[1][1], 0, m[2][1],
    0, 0, 1, 0, m[0][2], m[1][2], 0, m[2][2]].join()})`;
  veil.append(copy);
  box.append(base, veil);
  $('stage').replaceChildren(box);
  slide();
}

function slide() {
  const veil = document.querySelector('#overlay .veil');
  if (!veil) return;
  const shown = mode() === 'slider' ? $('slider').value : 100;
  veil.style.clipPath = `inset(0 ${100 - shown}% 0 0)`;
}

function blink(on) {
  clearInterval(blinking);
  blinking = on ? setInterval(() => {
    const veil = document.querySelector('#overlay .veil');
    if (veil) veil.hidden = !veil.hidden;
  }, 500) : 0;
}

function draw() {
  const overlaid = mode() !== 'sides';
  const {match, left, right} = compared;
  const possible = match.image_from_query && left.shownUrl && right.shownUrl;
  $('slider-line').hidden = mode() !== 'slider';
  $('points-line').hidden = overlaid;
  $('zoom').textContent = Math.round(zoom * 100) + ' %';
  $('compare-note').textContent =
    overlaid && !possible ? 'These two can’t be laid over each other.' : '';
  blink(mode() === 'blink' && possible);
  if (overlaid && possible) drawOverlay();
  else drawSides();
}

function zoomBy(factor) {
  const stage = $('stage');
  const x = (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth;
  const y = (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight;
  zoom = Math.min(MOST_ZOOM, Math.max(1, zoom * factor));
  draw();
  stage.scrollLeft = x * stage.scrollWidth - stage.clientWidth / 2;
  stage.scrollTop = y * stage.scrollHeight - stage.clientHeight / 2;
}

async function showPoints() {
  const pair = compared;
  points = null;
  if ($('points').checked) {
    $('compare-note').textContent = 'Asking for the points …';
    const found = await pair.points();
    if (compared !== pair || !$('points').checked) return;
    points = found;
  }
  draw();
  if (points) $('compare-note').textContent = `${plural(points.length, 'point')} shown`;
}

async function compare(pair) {
  compared = pair;
  zoom = 1;
  points = null;
  $('points').checked = false;
  $('compare-words').replaceChildren(
    make('bdi', 'path', pair.left.name), wordsOf(pair.match), make('bdi', 'path', pair.right.name));
  $('compare-verdict').replaceChildren(verdictBar(pair));
  $('compare').showModal();
  for (const side of [pair.left, pair.right]) {
    side.shownUrl = await Promise.resolve(side.url).catch(() => null);
  }
  if (compared === pair) draw();
}

function endComparing() {
  blink(false);
  if (compared) compared.bars.pop();
  compared = null;
  $('stage').replaceChildren();
}

function setMode(value) {
  document.querySelector(`input[name=mode][value=${value}]`).checked = true;
  draw();
}

/** Dragging moves what is larger than the stage; fingers do so by themselves. */
function dragStage(event) {
  if (event.pointerType !== 'mouse' || !(event.buttons & 1)) return;
  $('stage').scrollLeft -= event.movementX;
  $('stage').scrollTop -= event.movementY;
  event.preventDefault();
}

function listenToComparing() {
  for (const radio of document.querySelectorAll('input[name=mode]')) {
    radio.addEventListener('change', draw);
  }
  listen('slider', 'input', slide);
  listen('points', 'change', guarded(showPoints));
  listen('zoom-in', 'click', () => zoomBy(1.5));
  listen('zoom-out', 'click', () => zoomBy(1 / 1.5));
  listen('stage', 'pointermove', dragStage);
  $('stage').addEventListener('wheel', event => {
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2);
  }, {passive: false});
  listen('close', 'click', () => $('compare').close());
  listen('compare', 'close', endComparing);
}
