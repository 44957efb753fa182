import { testGenerated } from './generated.ts';

testGenerated('express', 1, true);
testGenerated('express', 2, true);
testGenerated('front', 1, true);
testGenerated('front', 2, true);
