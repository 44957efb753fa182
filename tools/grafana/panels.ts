/** One query of a panel. */
export interface Query {
  readonly expr: string;
  /** Legend, with `{{label}}`. */
  readonly legend?: string;
  /** Only the last value, as a table needs it. */
  readonly instant?: boolean;
}

/** A value from which on a panel has another colour; null is the colour below all. */
export type Step = readonly [from: number | null, color: 'green' | 'yellow' | 'orange' | 'red' | 'blue'];

export interface PanelOptions {
  readonly title: string;
  readonly description: string;
  readonly queries: readonly Query[];
  /** Grafana's id of the unit, such as `s`, `reqps`, `bytes`, `percentunit`. */
  readonly unit?: string;
  readonly decimals?: number;
  readonly steps?: readonly Step[];
  /** Texts for values. */
  readonly texts?: Readonly<Record<string, readonly [text: string, color: string]>>;
  /** Columns of 24. */
  readonly width: number;
  readonly height?: number;
  readonly stacked?: boolean;
}

export type PanelKind = 'stat' | 'timeseries' | 'state-timeline' | 'table';

/** A panel without its place and number. */
export interface Panel {
  readonly kind: PanelKind;
  readonly options: PanelOptions;
}

/** A row of the dashboard with its panels, which are laid out from left to right. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;
const HEIGHTS: Readonly<Record<PanelKind, number>> = {
  stat: 4,
  timeseries: 8,
  'state-timeline': 6,
  table: 8,
};

export const stat = (options: PanelOptions): Panel => ({ kind: 'stat', options });
export const graph = (options: PanelOptions): Panel => ({ kind: 'timeseries', options });
export const states = (options: PanelOptions): Panel => ({ kind: 'state-timeline', options });
export const table = (options: PanelOptions): Panel => ({ kind: 'table', options });

/** Returns the panels of all rows with their places. */
export function layOut(rows: readonly Row[]): object[] {
  const laid: object[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    laid.push({
      id: laid.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { h: 1, w: 24, x: 0, y },
      panels: [],
    });
    y += 1;
    let [x, height] = [0, 0];
    for (const panel of panels) {
      const { width: w, height: h = HEIGHTS[panel.kind] } = panel.options;
      if (x + w > 24) {
        y += height;
        [x, height] = [0, 0];
      }
      laid.push(panelJson(panel, laid.length + 1, { h, w, x, y }));
      x += w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return laid;
}

function panelJson({ kind, options }: Panel, id: number, gridPos: object): object {
  const { title, description, queries, unit = 'short', decimals } = options;
  return {
    id,
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    targets: queries.map(({ expr, legend = '', instant = false }, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      ...(instant ? { instant: true, range: false, format: 'table' } : { range: true }),
    })),
    fieldConfig: {
      defaults: {
        unit,
        ...(decimals === undefined ? {} : { decimals }),
        min: 0,
        color: { mode: kind === 'timeseries' ? 'palette-classic' : 'thresholds' },
        mappings: mappings(options),
        thresholds: { mode: 'absolute', steps: steps(options) },
        custom: custom(kind, options),
      },
      overrides: [],
    },
    options: panelOptions(kind),
    ...(kind === 'table' ? { transformations: withoutTime() } : {}),
  };
}

function mappings({ texts }: PanelOptions): object[] {
  if (texts === undefined) return [];
  const options = Object.fromEntries(
    Object.entries(texts).map(([value, [text, color]], index) => [value, { text, color, index }]),
  );
  return [{ type: 'value', options }];
}

function steps({ steps: given = [[null, 'green']] }: PanelOptions): object[] {
  return given.map(([value, color]) => ({ value, color }));
}

function custom(kind: PanelKind, { stacked = false }: PanelOptions): object {
  if (kind === 'timeseries') {
    return {
      lineWidth: 1,
      fillOpacity: stacked ? 40 : 10,
      showPoints: 'never',
      spanNulls: false,
      stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
    };
  }
  if (kind === 'table') return { align: 'auto', inspect: false };
  return kind === 'state-timeline' ? { lineWidth: 0, fillOpacity: 80 } : {};
}

function panelOptions(kind: PanelKind): object {
  const reduceOptions = { calcs: ['lastNotNull'], fields: '', values: false };
  switch (kind) {
    case 'stat':
      return {
        reduceOptions,
        colorMode: 'background',
        graphMode: 'none',
        justifyMode: 'auto',
        orientation: 'auto',
        textMode: 'auto',
        wideLayout: true,
        showPercentChange: false,
        percentChangeColorMode: 'standard',
      };
    case 'timeseries':
      return {
        legend: {
          displayMode: 'table',
          placement: 'bottom',
          showLegend: true,
          calcs: ['lastNotNull', 'max'],
        },
        tooltip: { mode: 'multi', sort: 'desc' },
      };
    case 'state-timeline':
      return {
        showValue: 'auto',
        mergeValues: true,
        alignValue: 'left',
        rowHeight: 0.9,
        legend: { displayMode: 'list', placement: 'bottom', showLegend: false, calcs: [] },
        tooltip: { mode: 'single', sort: 'none' },
      };
    case 'table':
      return { frameIndex: 0, showHeader: true, cellHeight: 'sm' };
  }
}

function withoutTime(): object[] {
  return [{ id: 'organize', options: { excludeByName: { Time: true, __name__: true, job: true } } }];
}
