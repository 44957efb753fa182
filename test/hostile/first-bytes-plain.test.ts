import { testFirstBytes } from './first-bytes.ts';

testFirstBytes('express', 1, false);
testFirstBytes('express', 2, false);
testFirstBytes('front', 1, false);
testFirstBytes('front', 2, false);
testFirstBytes('shared', 1, false);
testFirstBytes('shared', 2, false);
