import { testGenerated } from './generated.ts';

testGenerated('front', 1, false);
testGenerated('front', 2, false);
testGenerated('express', 1, true);
testGenerated('front', 1, true);
