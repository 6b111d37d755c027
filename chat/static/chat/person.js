// The person who may answer instead of the model, and the visitor's request for one. Pure.

/** @typedef {import("./state.js").State} State */
/**
 * @typedef {object} Person
 * @property {string} name of the person who answers; "" if it is the model
 * @property {string} left the name of the one who has just left
 * @property {boolean} canAsk the site lets visitors ask for a person
 * @property {boolean} isRequested the visitor asks for one
 * @property {boolean} isAvailable an operator waits for requests
 * @property {number} typedAt when the person last typed, in ms since the epoch
 */

/** @type {Person} */
export const NOBODY = Object.freeze({ name: "", left: "", canAsk: false, isRequested: false, isAvailable: false, typedAt: 0 });

/** What session.ready says; servers of earlier versions say nothing. @type {(ready: {[field: string]: any}) => Person} */
export const personOf = ({ operator, operator_requested, operator_available, limits }) => ({
  ...NOBODY,
  name: operator?.name ?? "",
  canAsk: Boolean(limits.human_support),
  isRequested: Boolean(operator_requested),
  isAvailable: Boolean(operator_available),
});

/** @type {(state: State, change: Partial<Person>) => State} */
const withPerson = (state, change) => ({ ...state, person: { ...state.person, ...change } });

/** @type {Record<string, (state: State, event: import("./state.js").Event) => State>} */
export const PERSON_REDUCERS = {
  "operator.joined": (state, { name }) => withPerson(state, { name, left: "", isRequested: false, typedAt: 0 }),
  "operator.left": (state, { name }) => withPerson(state, { name: "", left: name, typedAt: 0 }),
  "operator.requested": (state, { requested, available }) => withPerson(state, { isRequested: requested, isAvailable: available }),
  "operator.typing": (state, { receivedAt }) => withPerson(state, { typedAt: receivedAt }),
};
