// A page without anything live that must not stay open on a shared PC.

import { keepLock } from "./lock.js";

keepLock();
