import { testFirstBytes } from './first-bytes.ts';

testFirstBytes('express', 1, true);
testFirstBytes('express', 2, true);
testFirstBytes('front', 1, true);
testFirstBytes('front', 2, true);
