/** How many brand-new tokens were refused in a row, without one that upstream took. */
export function createRefusalCount() {
  let count = 0;
  let lastCounted: string | undefined;
  let lastAccepted: string | undefined;
  const reset = () => {
    count = 0;
  };
  return {
    reset,
    add: (token: string) => {
      if (token !== lastAccepted && token !== lastCounted) count += 1;
      lastCounted = token;
      return count;
    },
    accept: (token: string) => {
      lastAccepted = token;
      reset();
    },
  };
}
