const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** For programs. A record that was written by hand may hold anything. */
export function isoTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? 'unknown' : time.toISOString();
}

/** For people: the time, and how far away it is. */
export function readableTime(iso: string, now: number): string {
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? iso : `${iso.slice(0, 16).replace('T', ' ')} UTC (${distance(iso, now)})`;
}

/** "3 hours ago", or "in 2 days". */
export function distance(iso: string, now: number): string {
  const ms = Date.parse(iso) - now;
  if (Number.isNaN(ms)) return iso;
  if (Math.abs(ms) < 1_000) return 'just now';
  return ms > 0 ? `in ${duration(ms)}` : `${duration(-ms)} ago`;
}

export function duration(ms: number): string {
  const [unit, name] =
    ms < minute ? [1_000, 'second'] : ms < hour ? [minute, 'minute'] : ms < 2 * day ? [hour, 'hour'] : [day, 'day'];
  return plural(Math.floor(ms / Number(unit)), String(name));
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
