import { randomUUID } from 'node:crypto';

export interface Page {
  id: string;
  title: string;
  content: string;
  parentId: string | null;
  comments: Comment[];
}

export interface Comment {
  id: string;
  author: string;
  text: string;
}

export interface Person {
  id: string;
  name: string;
  email: string;
}

/** Pages, comments and people, shared by every session of one upstream; kept across restarts. */
export class Workspace {
  readonly people: readonly Person[] = [
    { id: '11111111-aaaa-4aaa-8aaa-000000000001', name: 'Ada', email: 'ada@example.test' },
    { id: '11111111-aaaa-4aaa-8aaa-000000000002', name: 'Grace', email: 'grace@example.test' },
  ];
  readonly #pages = new Map<string, Page>();

  constructor() {
    this.create({ title: 'Engineering wiki', content: '# Engineering wiki\nHow we build and run things.' });
    this.create({ title: 'Release checklist', content: '- [ ] tests are green\n- [ ] changelog is written' });
    this.create({ title: 'Reading list', content: 'RFC 6749, RFC 8252, RFC 9700.' });
  }

  get pages(): Page[] {
    return [...this.#pages.values()];
  }

  create({
    title,
    content = '',
    parentId = null,
  }: {
    title: string;
    content?: string;
    parentId?: string | null;
  }): Page {
    const page: Page = { id: randomUUID(), title, content, parentId, comments: [] };
    this.#pages.set(page.id, page);
    return page;
  }

  search(query: string): Page[] {
    const wanted = query.toLowerCase();
    return this.pages.filter(({ title, content }) => `${title}\n${content}`.toLowerCase().includes(wanted));
  }

  /** By id, or by a URL that ends with it. */
  find(idOrUrl: string): Page | undefined {
    return this.#pages.get(idOrUrl.split('/').at(-1) ?? idOrUrl);
  }

  comment(page: Page, text: string): Comment {
    const comment = { id: randomUUID(), author: this.people[0]?.id ?? '', text };
    page.comments.push(comment);
    return comment;
  }
}

export function pageUrl(page: Page): string {
  return `https://www.notion.so/${page.id}`;
}
