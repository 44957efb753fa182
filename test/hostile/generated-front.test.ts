import { testGenerated } from './generated.ts';

testGenerated('front', 1, false);
testGenerated('front', 2, false);
