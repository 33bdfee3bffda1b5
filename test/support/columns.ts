/** Rows of cells as a table of text; `right`: the columns, from 0, whose cells end where their column ends. */
export function inColumns(rows: readonly (readonly string[])[], right: (column: number) => boolean = () => false) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    right(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
